"""A process that says it is ready, for tests of what runs processes: stand_in.py PORT_VARIABLE."""

import http.server
import os
import sys


class _Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"ready": true, "missing": []}')

    def log_message(self, *_args) -> None:
        pass


if __name__ == "__main__":
    port = int(os.environ[sys.argv[1]])
    http.server.ThreadingHTTPServer(("127.0.0.1", port), _Ready).serve_forever()
