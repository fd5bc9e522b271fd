"""A load balancer's tags that are not ours: what a body may say of them, and which of them GET shows.

https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/add-remove-tags.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chalicelib.model.load_balancer import LOAD_BALANCER_TAGS_MAX
from chalicelib.model.names import (
    CERTIFICATE_TAG,
    CLUSTER_TAG,
    DNS_TAG,
    HOSTNAME_TAG,
    MEMBERS_TAG,
    OWNER_TAG,
    PENDING_TAG,
    PROBE_TAG,
    REJECTED_TAG,
)
from chalicelib.model.syntax import holds_key, quoted, tag_text_fault

TAG_KEY_MAX = 127
TAG_VALUE_MAX = 255
OUR_TAGS = (
    OWNER_TAG,
    CLUSTER_TAG,
    CERTIFICATE_TAG,
    HOSTNAME_TAG,
    DNS_TAG,
    MEMBERS_TAG,
    PROBE_TAG,
    PENDING_TAG,
    REJECTED_TAG,
)
TAGS_MAX = LOAD_BALANCER_TAGS_MAX - len(OUR_TAGS)
"""How many a body may have: AWS's 50, less those that we may need ourselves."""
_RESERVED = ("aws:", "emq-elb:")


def tag_faults(key: str, value: str) -> Iterator[str]:
    """Return what is wrong with one tag of a body."""
    if not 1 <= len(key) <= TAG_KEY_MAX:
        yield f"a key has 1 to {TAG_KEY_MAX} characters"
    if len(value) > TAG_VALUE_MAX:
        yield f"its value has {len(value)} characters, at most {TAG_VALUE_MAX} are allowed"
    if key.lower().startswith(_RESERVED):
        yield "a key cannot begin with aws: or emq-elb:, which are kept for AWS and for us"
    yield from (wrong for wrong in (tag_text_fault(key), tag_text_fault(value)) if wrong is not None)


def shown_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return, by key, those that GET shows: none of ours or of AWS's, and as many as a body may have."""
    return dict([(key, tags[key]) for key in sorted(_of_users(tags)) if _sayable(key, tags[key])][:TAGS_MAX])


def tags_left(tags: Mapping[str, str]) -> Iterator[str]:
    """Return a sentence for those that a body cannot say, and one for those beyond `TAGS_MAX`."""
    users = {*_of_users(tags)}
    for key in sorted(key for key in users if not _sayable(key, tags[key])):
        yield f"the tag {quoted(key)} has what a body may not have in a tag"
    if (beyond := sum(_sayable(key, tags[key]) for key in users) - TAGS_MAX) > 0:
        yield f"a body may have {TAGS_MAX} tags, and there are {beyond} more"


def _of_users(tags: Mapping[str, str]) -> Iterator[str]:
    return (key for key in tags if not key.lower().startswith(_RESERVED))


def _sayable(key: str, value: str) -> bool:
    """Whether a body may have it: a text that may be a private key is neither taken nor shown."""
    return not any(tag_faults(key, value)) and not holds_key(key) and not holds_key(value)
