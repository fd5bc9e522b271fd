"""TLS handshakes with one address, as a client makes them.

Nothing wakes it and it changes nothing. It knows no AWS.
Page: docs/probe.md.
"""

PURE = ("handshake",)
