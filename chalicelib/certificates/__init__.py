"""Obtaining one certificate, for `provision` and `rotate` alike: one that exists, or one to upload.

`issue` has a certificate issued, examines and uploads it; everything else only reads AWS.
Page: docs/rotate.md.
"""

PURE = ("chosen",)
