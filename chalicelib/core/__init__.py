"""The core: decisions as functions of values.

The law of this folder: standard library only; no input, output, clock, randomness or environment.
Whatever a decision needs is handed to it. `tests/core/test_purity.py` enforces it.
"""
