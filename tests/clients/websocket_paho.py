"""paho-mqtt over a WebSocket in the clear: see tests/tests/kernel_websocket.rs."""

import sys
import time

import paho.mqtt.client as mqtt

client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, transport="websockets")
client.connect_timeout = 3
try:
    client.connect(sys.argv[1], int(sys.argv[2]))
    until = time.monotonic() + 2
    while time.monotonic() < until:
        client.loop(0.1)
except (OSError, mqtt.WebsocketConnectionError):
    pass
