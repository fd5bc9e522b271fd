"""The logs of the libraries that talk to others for us: no log level turns them up.

Below a warning they write what they send and receive, and that holds keys: uploaded ones, the private CA's,
every secret. Lambda's `AWS_LAMBDA_LOG_LEVEL` is the root logger's level, which their loggers would inherit.
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
"""

from __future__ import annotations

from logging import WARNING, getLogger

LIBRARIES = (
    "OpenSSL",
    "acme",
    "asyncio",
    "bcdocs",
    "boto3",
    "botocore",
    "charset_normalizer",
    "concurrent",
    "cryptography",
    "josepy",
    "paho",
    "requests",
    "s3transfer",
    "urllib3",
)
"""The packages whose loggers our functions load; a test finds one that is missing."""


def hold_at_warning() -> None:
    """Give each library's logger a level of its own; its children, made before or after, inherit that one.

    Every module that opens a connection calls this first. `http.client` has no logger: it prints when its
    `debuglevel` is set, which no environment variable does.
    """
    for name in LIBRARIES:
        getLogger(name).setLevel(WARNING)
