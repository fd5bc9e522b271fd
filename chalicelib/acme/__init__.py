"""The ACME protocol (RFC 8555): account, order, challenges in Route 53, renewal information (RFC 9773).

It may create the account's secret, and TXT records below `_acme-challenge` and for the journal of a zone.
Page: docs/rotate.md, decisions/0011.
"""

PURE = (
    "records",
    "renewal_window",
)
