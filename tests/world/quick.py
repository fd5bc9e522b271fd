"""What the tests do often and look at never, made quick: RSA keys, and what botocore does around each call.

`install` comes before every other import of the tests, so that modules that import these functions by name
get the quick ones. Nothing that a test can see changes: keys are real keys, and a key that was not made or
checked here before is checked. moto reads no call's signature, user agent or id, in this process or as a
server; other processes, and what signs with `SigV4Auth` itself, sign as ever.
"""

from __future__ import annotations

import os
import pickle
import random
import re
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import botocore.auth
import botocore.endpoint
import botocore.parsers
from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.exceptions import NoCredentialsError
from botocore.loaders import Loader
from botocore.parsers import BaseXMLResponseParser, QueryParser
from botocore.useragent import UserAgentString
from botocore.utils import parse_timestamp
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPrivateNumbers
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

POOL = 24
"""So many RSA keys of a size are made, then the first is handed out again: more than any test asks for."""

KEPT = Path(__file__).parents[2] / ".pytest_cache" / "keys"
"""Where a checkout keeps the keys of its tests."""

READ: dict[object, bytes] = {}
"""The answers that were read last, none of them long: at most so many, of fewer bytes than that."""
MOST, LONG = 1000, 50_000

_READ = QueryParser._parse_body_as_xml  # type: ignore[attr-defined] # its stubs show no private names
_LOAD_DER = serialization.load_der_private_key

SOUND: set[RSAPrivateNumbers] = set()
"""The RSA keys that were made here, or that this process has checked."""


def install() -> None:
    """Make the functions quick; a second time is as good as once."""
    if isinstance(rsa.generate_private_key, Pool):
        return
    rsa.generate_private_key = Pool(rsa.generate_private_key, KEPT)
    serialization.load_pem_private_key = checked_once(serialization.load_pem_private_key)
    serialization.load_der_private_key = checked_once(serialization.load_der_private_key)
    Loader._cache = SharedCache()  # type: ignore[attr-defined] # its stubs show no private names
    botocore.parsers.DEFAULT_TIMESTAMP_PARSER = cache(parse_timestamp)
    botocore.auth.AUTH_TYPE_MAPS["v4"] = Unread
    without_namespace = cache(partial(re.compile("{.*}").sub, ""))
    # mypy takes no other method in the place of one.
    setattr(BaseXMLResponseParser, "_node_tag", lambda _, node: without_namespace(node.tag))  # noqa: B010
    setattr(QueryParser, "_parse_body_as_xml", read_once)  # noqa: B010
    setattr(UserAgentString, "to_string", lambda _: "tests")  # noqa: B010
    vars(botocore.endpoint)["uuid"] = SimpleNamespace(uuid4=lambda: UUID(int=random.getrandbits(128)))


def read_once(parser: QueryParser, response: Any, shape: Any, inject_metadata: bool = True) -> Any:
    """Return what an answer says, as botocore reads it: one that came before is not read again."""
    asked = (type(parser), shape, response["body"], inject_metadata)
    if known := READ.get(asked):
        return pickle.loads(known)  # noqa: S301 - our own
    found = _READ(parser, response, shape, inject_metadata)
    if len(response["body"]) < LONG:
        if len(READ) >= MOST:
            READ.clear()
        READ[asked] = pickle.dumps(found)
    return found


class Unread(SigV4Auth):
    """Says who calls which service of which region, and signs nothing."""

    def add_auth(self, request: Any) -> None:
        """Write the header of a signature, which is 0."""
        if self.credentials is None:
            raise NoCredentialsError
        request.context["timestamp"] = datetime.now(UTC).strftime(SIGV4_TIMESTAMP)
        del request.headers["Authorization"]  # of the try before
        request.headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={self.scope(request)}, Signature=0"


class Pool:
    """Makes RSA keys, at most `POOL` of each size, and keeps them for the next run: one of 2,048 bits takes
    60 ms, one of 4,096 half a second."""

    def __init__(self, generate: Callable[[int, int], RSAPrivateKey], kept: Path) -> None:
        self.generate = generate
        self.kept = kept
        self.asked: dict[tuple[int, int], count[int]] = {}
        self.made: dict[tuple[int, int, int], RSAPrivateKey] = {}
        self.lasts: defaultdict[int, count[int]] = defaultdict(count)

    def __call__(self, public_exponent: int, key_size: int, backend: object = None) -> RSAPrivateKey:  # noqa: ARG002 - the signature
        """Return a key of that size that none of the last `POOL - 1` calls returned."""
        turn = next(self.asked.setdefault((public_exponent, key_size), count()))
        which = (public_exponent, key_size, turn % POOL)
        if which not in self.made:
            self.made[which] = self._sound(*which)
        return self.made[which]

    def lasting(self, key_size: int) -> RSAPrivateKey:
        """Return a key that no other call returns, for what outlives a test."""
        return self._sound(65537, key_size, POOL + next(self.lasts[key_size]))

    def _sound(self, public_exponent: int, key_size: int, number: int) -> RSAPrivateKey:
        key = self._kept_or_new(public_exponent, key_size, number)
        SOUND.add(key.private_numbers())
        return key

    def _kept_or_new(self, public_exponent: int, key_size: int, number: int) -> RSAPrivateKey:
        path = self.kept / f"{public_exponent}-{key_size}-{number}.der"
        try:
            key = _LOAD_DER(path.read_bytes(), None, unsafe_skip_rsa_key_validation=True)
        except (OSError, ValueError):
            key = self.generate(public_exponent, key_size)
            self.kept.mkdir(parents=True, exist_ok=True)
            begun = path.with_suffix(f".{os.getpid()}")
            begun.write_bytes(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
            begun.replace(path)
        assert isinstance(key, RSAPrivateKey)
        return key


def lasting_rsa_key(key_size: int) -> RSAPrivateKey:
    """Return a key that nobody else is given in this process."""
    pool = rsa.generate_private_key
    assert isinstance(pool, Pool)
    return pool.lasting(key_size)


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
