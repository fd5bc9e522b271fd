"""A node's HTTP page, as EMQX's dashboard port answers it, by whether its broker accepts connections.

`python -m lab.nodes.statuspage ADDRESS PORT NODE BROKER_PORT`: `/status` answers 200 or 503, `/` a page. It
runs beside the broker and is frozen and killed with it.
https://docs.emqx.com/en/emqx/latest/admin/api.html (GET /status)
"""

from __future__ import annotations

import sys
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lab.machine.addresses import answers


def page(path: str, node: str, running: bool) -> tuple[int, str, str]:
    """Return status, content type and body for a path."""
    match path.partition("?")[0]:
        case "/status":
            state = "started\nemqx is running" if running else "stopped\nemqx is not_running"
            return (200 if running else 503), "text/plain", f"Node {node} is {state}"
        case "/":
            return 200, "text/html", f"<!doctype html><title>{escape(node)}</title><h1>{escape(node)}</h1>"
        case _:
            return 404, "text/plain", "Not Found"


def serve(address: str, port: int, node: str, broker_port: int) -> None:
    """Answer until the process ends."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = page(self.path, node, answers(address, broker_port))
            content = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Keep no log: it is asked every few seconds."""

    ThreadingHTTPServer((address, port), Page).serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
