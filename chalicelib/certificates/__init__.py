"""Obtaining one certificate, for `provision` and `rotate` alike: one that exists, or one to upload.

It only reads AWS; `apply` uploads. Page: docs/rotate.md.
"""

PURE = ("chosen",)
