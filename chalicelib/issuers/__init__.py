"""Sources of certificates that answer at once: the private CA, and a secret of the user's.

`private_ca` may create the CA's secret; `secret` only reads. The ACME CA has a folder of its own, `acme`.
Page: docs/rotate.md.
"""
