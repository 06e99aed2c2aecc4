"""Takes mails or web requests, and writes each as a line of JSON.

    sink.py (mail | http) PORT FILE (ok | broken)
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

kind, port, path, answer = sys.argv[1:5]
lock = threading.Lock()


def keep(message):
    with lock, open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(message) + "\n")


class Web(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        keep({"path": self.path, "headers": {key.lower(): value for key, value in self.headers.items()},
              "body": body.decode("utf-8", "replace")})
        self.send_response(200 if answer == "ok" else 503)
        self.end_headers()


class Mail:
    async def handle_DATA(self, server, session, envelope):
        keep({"from": envelope.mail_from, "to": envelope.rcpt_tos,
              "text": envelope.content.decode("utf-8", "replace")})
        return "250 taken"


if kind == "http":
    ThreadingHTTPServer(("127.0.0.1", int(port)), Web).serve_forever()
else:
    from aiosmtpd.controller import Controller
    Controller(Mail(), hostname="127.0.0.1", port=int(port)).start()
    threading.Event().wait()
