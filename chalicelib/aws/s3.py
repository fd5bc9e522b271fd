"""S3's buckets, of which access logs go into one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.aws.errors import translated
from chalicelib.model.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def is_ours(client: S3Client, bucket: str) -> bool | None:
    """Return whether the bucket is one of this account's; None where S3 does not say: only the review asks.

    An account without a raised quota has at most 10,000 buckets, and one call lists them all
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html).
    """
    try:
        with translated("ListBuckets"):
            listed = client.list_buckets(Prefix=bucket).get("Buckets", [])
    except AwsError:
        return None
    return any(one.get("Name") == bucket for one in listed)
