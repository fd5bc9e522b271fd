"""What CloudWatch's console does with a custom widget: ask the function, show its HTML, obey its buttons.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard_about.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import Request

from lab.lambda_.api import OPENER
from lab.machine.serving import serving

Invoke = Callable[[str, dict[str, Any]], Any]

# The console sets what a function returns as inner HTML, so that no script in it runs; so says the policy.
PAGE = """<!doctype html>
<html lang=en><meta charset=utf-8><meta name=color-scheme content="light dark"><title>emq-elb</title>
<style>
body{font-family:system-ui,sans-serif;margin:24px auto;max-width:1100px;padding:0 16px}
.btn{border:1px solid currentColor;border-radius:4px;padding:3px 10px}
dialog{max-width:900px;border:1px solid gray;border-radius:8px}
</style>
<h1>Load balancers</h1><div id=widget>…</div>
<dialog><div id=popup></div><form method=dialog><button>Close</button></form></dialog>
<script>
const widget = document.querySelector('#widget'), popup = document.querySelector('#popup');
const theme = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
async function invoke(name, parameters) {
  const asked = {function: name, event: {...parameters, widgetContext: {theme}}};
  const answer = await fetch('/invoke', {method: 'POST', body: JSON.stringify(asked)});
  return await answer.json();
}
async function refresh() { widget.innerHTML = await invoke('FUNCTION', {}); }
document.addEventListener('click', async event => {
  const action = event.target.nextElementSibling;
  if (action === null || action.localName !== 'cwdb-action') return;
  const question = action.getAttribute('confirmation');
  if (question && !confirm(question)) return;
  const shown = await invoke(action.getAttribute('endpoint'), JSON.parse(action.textContent));
  if (action.getAttribute('display') !== 'popup') { widget.innerHTML = shown; return; }
  popup.innerHTML = shown;
  popup.parentElement.showModal();
});
refresh();
setInterval(refresh, 10000);
</script>
"""


def over_http(functions_url: str) -> Invoke:
    """Return what invokes a function over Lambda's API, and waits for it."""

    def invoke(function: str, event: dict[str, Any]) -> Any:
        url = f"{functions_url}/2015-03-31/functions/{function}/invocations"
        asked = Request(url, json.dumps(event).encode(), method="POST")  # noqa: S310 - http to loopback
        with OPENER.open(asked, timeout=60) as answer:
            return json.loads(answer.read())

    return invoke


@contextmanager
def console(address: str, function: str, invoke: Invoke, port: int = 0) -> Iterator[str]:
    """Serve the page that shows a widget's function; yield its URL."""
    page = PAGE.replace("FUNCTION", function).encode()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/":
                self._answer(200, "text/html; charset=utf-8", page)
            else:
                self._answer(404, "text/plain", b"")

        def do_POST(self) -> None:
            # Any page in the same browser may send a POST here, and a name of its own may resolve to here.
            here = f"{address}:{server.server_port}"
            if self.headers.get("Host") != here or self.headers.get("Origin") not in {None, f"http://{here}"}:
                self._answer(403, "text/plain; charset=utf-8", b"This page takes its own requests only.")
                return
            try:
                asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
                name, event = str(asked["function"]), dict(asked["event"])
            except (LookupError, TypeError, ValueError) as error:
                self._answer(400, "text/plain; charset=utf-8", f"No request of this page: {error!r}".encode())
                return
            self._answer(200, "application/json", json.dumps(invoke(name, event)).encode())

        def _answer(self, status: int, kind: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header(
                "Content-Security-Policy", "default-src 'self' 'unsafe-inline'; script-src-attr 'none'"
            )
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Keep no log: the page asks every few seconds."""

    server = ThreadingHTTPServer((address, port), Page)
    server.daemon_threads = True
    with serving(server, "console"):
        yield f"http://{address}:{server.server_port}/"
