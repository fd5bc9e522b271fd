"""Certificates and private keys: PEM and DER read, names compared, a bundle examined before an upload.

Nothing wakes it and it changes nothing. It knows no AWS. `parse` and `read` use `cryptography`.
Page: docs/rotate.md.
"""

PURE = (
    "domains",
    "facts",
    "pem",
    "pem_faults",
    "preflight",
)
