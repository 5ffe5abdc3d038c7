"""Logs in by SCRAM with the client of scramp (PyPI), over raw MQTT 5 packets and TLS.

Says each packet's type and reason code on a line, and ends with 0 if the server has proven itself
each time that it let the client in. A second password is that of a re-authentication.
"""

import socket
import ssl
import sys

from scramp import ScramClient

port, cafile, method, username, password, *again = sys.argv[1:]


def varint(value):
    out = b""
    while True:
        out += bytes([value % 128 | (128 if value > 127 else 0)])
        value //= 128
        if not value:
            return out


def text(value):
    value = value.encode()
    return len(value).to_bytes(2, "big") + value


def packet(first, body):
    return bytes([first]) + varint(len(body)) + body


def properties(data):
    found = b"\x15" + text(method) + b"\x16" + text(data)
    return varint(len(found)) + found


def take(count):
    out = b""
    while len(out) < count:
        more = stream.recv(count - len(out))
        if not more:
            raise EOFError
        out += more
    return out


def receive():
    first = take(1)[0]
    length = shift = 0
    while True:
        byte = take(1)[0]
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return first, take(length)


def data_of(body):
    """Authentication Data, from properties of less than 128 bytes each."""
    length = shift = at = 0
    while True:
        length |= (body[at] & 127) << shift
        shift += 7
        at += 1
        if body[at - 1] < 128:
            break
    found = body[at : at + length]
    sizes = {0x11: 4, 0x21: 2, 0x22: 2, 0x25: 1, 0x27: 4, 0x13: 2}
    at = 0
    while at < len(found):
        name = found[at]
        if name in sizes:
            at += 1 + sizes[name]
            continue
        size = int.from_bytes(found[at + 1 : at + 3], "big")
        value = found[at + 3 : at + 3 + size].decode()
        if name == 0x16:
            return value
        at += 3 + size
    return None


def exchange(secret, begin):
    client = ScramClient([method], username, secret)
    stream.sendall(begin(client.get_client_first()))
    while True:
        first, body = receive()
        code = body[1] if first == 0x20 else body[0]
        print({0x20: "CONNACK", 0xF0: "AUTH", 0xE0: "DISCONNECT"}[first], hex(code), flush=True)
        if first == 0xF0 and code == 0x18:
            client.set_server_first(data_of(body[1:]))
            final = client.get_client_final()
            stream.sendall(packet(0xF0, b"\x18" + properties(final)))
        elif code == 0:
            client.set_server_final(data_of(body[2:] if first == 0x20 else body[1:]))
            return
        else:
            sys.exit(1)


context = ssl.create_default_context(cafile=cafile)
raw = socket.create_connection(("127.0.0.1", int(port)), timeout=5)
stream = context.wrap_socket(raw, server_hostname="router.lan")


def connect(data):
    head = text("MQTT") + b"\x05\x02\0\x3c"
    return packet(0x10, head + properties(data) + text("scramp"))


exchange(password, connect)
for secret in again:
    exchange(secret, lambda data: packet(0xF0, b"\x19" + properties(data)))
    stream.sendall(b"\xc0\0")
    assert receive() == (0xD0, b"")
