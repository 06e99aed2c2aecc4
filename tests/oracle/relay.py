"""Relays a WebDAV client that needs to write to a server of Yore.

    relay.py UPSTREAM USER PASSWORD SOURCE YORE...

Reading requests go to UPSTREAM, with USER and PASSWORD. Requests that make, write or remove a file are
executed in the folder SOURCE, which the command YORE then backs up; so Yore answers the next reading
request from that snapshot. Prints the port that it listens on.
"""

import base64
import http.client
import os
import shutil
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

upstream, user, password, source = sys.argv[1:5]
back_up = sys.argv[5:]
login = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Relay(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def end(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def local(self):
        """Returns the path below the source; its parent must exist."""
        path = unquote(self.path).removeprefix("/latest" + source).strip("/")
        return os.path.join(source, path)

    def changed(self, status):
        subprocess.run([*back_up, source], check=True, stdout=subprocess.DEVNULL)
        # A server looks for new snapshots each second.
        time.sleep(1.2)
        self.end(status)

    def do_PUT(self):
        content, place = self.body(), self.local()
        if not os.path.isdir(os.path.dirname(place)):
            return self.end(409)
        with open(place, "wb") as file:
            file.write(content)
        self.changed(201)

    def do_MKCOL(self):
        content, place = self.body(), self.local()
        if content:
            return self.end(415)
        if os.path.exists(place):
            return self.end(405)
        if not os.path.isdir(os.path.dirname(place)):
            return self.end(409)
        os.mkdir(place)
        self.changed(201)

    def do_DELETE(self):
        self.body()
        place = self.local()
        if not os.path.exists(place):
            return self.end(404)
        shutil.rmtree(place) if os.path.isdir(place) else os.remove(place)
        self.changed(204)

    def forward(self):
        body = self.body()
        connection = http.client.HTTPConnection(urlsplit(upstream).netloc)
        sent = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "expect")}
        connection.request(self.command, self.path, body, {**sent, "Authorization": login})
        answer = connection.getresponse()
        content = answer.read()
        self.send_response(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "date", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_OPTIONS = do_PROPFIND = do_PROPPATCH = do_LOCK = do_UNLOCK = forward
    do_COPY = do_MOVE = forward


server = ThreadingHTTPServer(("127.0.0.1", 0), Relay)
print(server.server_address[1], flush=True)
server.serve_forever()
