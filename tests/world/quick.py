"""What every process of the tests makes once: RSA keys, the check of a key, and botocore's models.

`install` comes before every other import of the tests, so that modules that import these functions by name
get the quick ones. Nothing that a test can see changes: keys are real keys, and a key that this process has
not made or checked before is checked.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from botocore.loaders import Loader
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPrivateNumbers

POOL = 24
"""A process makes so many RSA keys of a size, then hands out the first again: more than any test asks for."""

SOUND: set[RSAPrivateNumbers] = set()
"""The RSA keys that this process has made or checked."""


def install() -> None:
    """Make the functions quick; a second time is as good as once."""
    if isinstance(rsa.generate_private_key, Pool):
        return
    rsa.generate_private_key = Pool(rsa.generate_private_key)
    serialization.load_pem_private_key = checked_once(serialization.load_pem_private_key)
    serialization.load_der_private_key = checked_once(serialization.load_der_private_key)
    Loader._cache = SharedCache()  # type: ignore[attr-defined] # its stubs show no private names


class Pool:
    """Makes RSA keys, at most `POOL` of each size: one takes 60 ms, one of 4096 bits half a second."""

    def __init__(self, generate: Callable[[int, int], RSAPrivateKey]) -> None:
        self.generate = generate
        self.most = POOL
        self.asked: dict[tuple[int, int], count[int]] = {}
        self.made: dict[tuple[int, int, int], RSAPrivateKey] = {}

    def __call__(self, public_exponent: int, key_size: int, backend: object = None) -> RSAPrivateKey:  # noqa: ARG002 - the signature
        """Return a key of that size that none of the last `most - 1` calls returned."""
        turn = next(self.asked.setdefault((public_exponent, key_size), count()))
        return self.key(public_exponent, key_size, turn % self.most)

    def key(self, public_exponent: int, key_size: int, number: int) -> RSAPrivateKey:
        """Return the key of that number; it is made when somebody asks for it first."""
        which = (public_exponent, key_size, number)
        if which not in self.made:
            self.made[which] = self.generate(public_exponent, key_size)
            SOUND.add(self.made[which].private_numbers())
        return self.made[which]


def checked_once(load: Callable[..., Any]) -> Callable[..., Any]:
    """Return a `load_…_private_key` that checks an RSA key only the first time: a check takes 60 ms."""

    def load_once(data: bytes, password: bytes | None, backend: object = None, **how: bool) -> Any:
        try:
            key = load(data, password, backend, unsafe_skip_rsa_key_validation=True)
        except Exception:  # noqa: BLE001 - the caller gets what the full check raises
            return load(data, password, backend, **how)
        if isinstance(key, RSAPrivateKey) and (numbers := key.private_numbers()) not in SOUND:
            key = load(data, password, backend, **how)
            SOUND.add(numbers)
        return key

    return load_once


class SharedCache:
    """The cache of each botocore Loader: one for all that look into the same directories.

    botocore gives each session a loader with a cache of its own; to read a service's model again takes up to
    half a second.
    """

    def __init__(self) -> None:
        self.caches: dict[tuple[str, ...], dict[Any, Any]] = {}

    def __get__(self, loader: Any, _: type) -> dict[Any, Any]:
        """Return the cache of a loader."""
        key = (type(loader.file_loader).__name__, *loader.search_paths, *loader.extras_types)
        return self.caches.setdefault(key, {})

    def __set__(self, loader: Any, value: object) -> None:
        """Keep the shared cache where a new loader begins one of its own."""
