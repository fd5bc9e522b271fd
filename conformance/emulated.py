"""The corrected moto as an account: the only way from here into the lab."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from boto3.session import Session
from moto import mock_aws

from conformance.account import Place
from lab import fidelity
from lab.fidelity.knobs import reset_knobs

REGION = "eu-central-1"
IMAGE = "ami-12c6146b"
CREDENTIALS: Mapping[str, str] = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
PLACE = Place(REGION, on_aws=False, image=lambda _: IMAGE, pause=0.0, longest=2.0)


@contextmanager
def emulated() -> Iterator[Any]:
    """Yield a session with an empty account of the corrected moto; nothing of the user's own is used."""
    theirs = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    for name in theirs:
        del os.environ[name]
    os.environ.update(CREDENTIALS)
    fidelity.install()
    reset_knobs()
    try:
        with mock_aws():
            yield Session(region_name=REGION)
    finally:
        reset_knobs()
        for name in CREDENTIALS:
            del os.environ[name]
        os.environ.update(theirs)
