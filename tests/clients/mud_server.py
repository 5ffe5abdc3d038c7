"""A maker's web server: the files of a directory, over HTTPS, and a few that misbehave.

usage: mud_server.py DIRECTORY PORT CERTIFICATE KEY
"""

import http.server
import ssl
import sys
import time

directory, port, certificate, key = sys.argv[1:]


class Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *args):
        super().__init__(*args, directory=directory)

    def do_GET(self):
        if self.path == "/moved.json":
            self.send_response(302)
            self.send_header("Location", "/lamp.json")
            self.end_headers()
        elif self.path == "/slow.json":
            self.send_response(200)
            self.end_headers()
            for _ in range(60):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.5)
        elif self.path == "/endless.json":
            self.send_response(200)
            self.end_headers()
            for _ in range(4096):
                self.wfile.write(b" " * 65536)
        else:
            super().do_GET()


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server = http.server.ThreadingHTTPServer(("", int(port)), Handler)
server.daemon_threads = True
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
