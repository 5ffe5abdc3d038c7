"""Logs in once by SCRAM-SHA-256 (RFC 5802, RFC 7677) over MQTT 5 and TLS, with nothing but Python's
own library. Arguments: host, port, CA file, user name; the password is on standard input. Prints
the reason code of the CONNACK, and fails unless the server proves itself.
"""

import base64
import hashlib
import hmac
import secrets
import socket
import ssl
import sys

host, port, cafile, username = sys.argv[1:]
password = sys.stdin.readline().rstrip("\n").encode()
METHOD = b"SCRAM-SHA-256"


def text(value):
    return len(value).to_bytes(2, "big") + value


def packet(first, body):
    assert len(body) < 16384
    low, high = len(body) % 128, len(body) // 128
    size = bytes([low | 128, high]) if high else bytes([low])
    return bytes([first]) + size + body


def properties(data):
    found = b"\x15" + text(METHOD) + b"\x16" + text(data)
    assert len(found) < 16384
    low, high = len(found) % 128, len(found) // 128
    return (bytes([low | 128, high]) if high else bytes([low])) + found


def take(count):
    out = b""
    while len(out) < count:
        more = stream.recv(count - len(out))
        if not more:
            sys.exit("closed")
        out += more
    return out


def number(read):
    value = shift = 0
    while True:
        byte = read()
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value


def receive():
    first = take(1)[0]
    return first, take(number(lambda: take(1)[0]))


def data_of(body):
    """Authentication Data among the properties that body begins with."""
    rest = list(body)
    length = number(lambda: rest.pop(0))
    found = bytes(rest[:length])
    while found:
        name, size = found[0], int.from_bytes(found[1:3], "big")
        assert name in (0x15, 0x16), name
        if name == 0x16:
            return found[3 : 3 + size]
        found = found[3 + size :]
    sys.exit("no Authentication Data")


def mac(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


context = ssl.create_default_context(cafile=cafile)
raw = socket.create_connection((host, int(port)), timeout=5)
stream = context.wrap_socket(raw, server_hostname=host)

nonce = base64.b64encode(secrets.token_bytes(18))
bare = b"n=" + username.encode() + b",r=" + nonce
head = text(b"MQTT") + b"\x05\x02\0\x3c"
stream.sendall(packet(0x10, head + properties(b"n,," + bare) + text(b"scram")))
first, body = receive()
if first == 0x20:
    print(body[1])
    sys.exit(1)
assert (first, body[0]) == (0xF0, 0x18), (first, body[0])
challenge = data_of(body[1:])
parts = dict(part.split(b"=", 1) for part in challenge.split(b","))
assert parts[b"r"].startswith(nonce)
salted = hashlib.pbkdf2_hmac(
    "sha256", password, base64.b64decode(parts[b"s"]), int(parts[b"i"])
)
without_proof = b"c=biws,r=" + parts[b"r"]
message = b",".join([bare, challenge, without_proof])
client_key = mac(salted, b"Client Key")
signature = mac(hashlib.sha256(client_key).digest(), message)
proof = bytes(a ^ b for a, b in zip(client_key, signature))
final = without_proof + b",p=" + base64.b64encode(proof)
stream.sendall(packet(0xF0, b"\x18" + properties(final)))
first, body = receive()
assert first == 0x20, first
print(body[1])
if body[1] != 0:
    sys.exit(1)
server = base64.b64encode(mac(mac(salted, b"Server Key"), message))
assert b"v=" + server in body, "the server has not proven itself"
