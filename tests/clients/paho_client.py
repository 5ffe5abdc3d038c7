"""paho-mqtt put through what every client is put through: see tests/tests/clients."""

import queue
import socket
import ssl
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

PATIENCE = 10
port, ca, wrong_ca, version = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
v5 = version == "5"
base = f"paho-{version}"


class Client:
    def __init__(self, name, lasting=False, will=None, ca_file=ca):
        protocol = mqtt.MQTTv5 if v5 else mqtt.MQTTv311
        extra = {} if v5 else {"clean_session": not lasting}
        api = mqtt.CallbackAPIVersion.VERSION2
        self.client = mqtt.Client(api, f"{base}-{name}", protocol=protocol, **extra)
        self.client.tls_set(ca_file, cert_reqs=ssl.CERT_REQUIRED)
        if will:
            self.client.will_set(will, "gone", qos=1)
        self.connected, self.subscribed, self.messages = (queue.Queue() for _ in range(3))
        self.client.on_connect = lambda c, u, flags, code, p: self.connected.put((flags, code))
        self.client.on_subscribe = lambda c, u, mid, codes, p: self.subscribed.put(codes)
        self.client.on_message = lambda c, u, message: self.messages.put(message)
        options = {}
        if v5:
            options = {"clean_start": not lasting, "properties": Properties(PacketTypes.CONNECT)}
            options["properties"].SessionExpiryInterval = 60 if lasting else 0
        self.client.connect("localhost", port, 30, **options)
        self.client.loop_start()
        flags, code = self.connected.get(timeout=PATIENCE)
        assert not code.is_failure, code
        self.present = flags.session_present

    def subscribe(self, topic, qos):
        self.client.subscribe(topic, qos)
        codes = self.subscribed.get(timeout=PATIENCE)
        assert codes[0].value == qos, codes

    def publish(self, topic, payload, qos, retain=False):
        info = self.client.publish(topic, payload, qos, retain)
        info.wait_for_publish(PATIENCE)
        assert info.is_published()

    def expect(self, payload, qos, retain=False):
        message = self.messages.get(timeout=PATIENCE)
        found = (message.payload.decode(), message.qos, message.retain)
        assert found == (payload, qos, retain), found

    def leave(self):
        self.client.disconnect()
        self.client.loop_stop()

    def lose(self):
        self.client.socket().shutdown(socket.SHUT_RDWR)
        self.client.loop_stop()


try:
    Client("stranger", ca_file=wrong_ca)
    sys.exit("a CA that did not sign was believed")
except ssl.SSLCertVerificationError:
    print("ok another CA")

one, two = Client("one"), Client("two")
for qos in (0, 1, 2):
    topic = f"{base}/qos{qos}"
    two.subscribe(topic, qos)
    one.publish(topic, f"hello {qos}", qos)
    two.expect(f"hello {qos}", qos)
    print(f"ok qos {qos}")

one.publish(f"{base}/kept", "kept", 1, retain=True)
two.subscribe(f"{base}/kept", 1)
two.expect("kept", 1, retain=True)
print("ok retained")

two.subscribe(f"{base}/will", 1)
Client("mortal", will=f"{base}/will").lose()
two.expect("gone", 1)
print("ok will")

Client("lasting").leave()
lasting = Client("lasting", lasting=True)
assert not lasting.present
lasting.subscribe(f"{base}/away", 2)
lasting.lose()
for qos in (1, 2):
    one.publish(f"{base}/away", f"missed {qos}", qos)
lasting = Client("lasting", lasting=True)
assert lasting.present
for qos in (1, 2):
    lasting.expect(f"missed {qos}", qos)
print("ok session")
for client in (one, two, lasting):
    client.leave()
