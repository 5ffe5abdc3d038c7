"""paho-mqtt over a WebSocket in the clear: see tests/tests/kernel_websocket.rs."""

import os
import sys
import threading

import paho.mqtt.client as mqtt

# It would wait for the answer to its request for a minute.
threading.Timer(3, os._exit, [1]).start()
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, transport="websockets")
client.connect(sys.argv[1], int(sys.argv[2]))
while True:
    client.loop(0.1)
