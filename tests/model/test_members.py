"""The `emq-elb:members` tag: whose instances may join."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model.members import Members, members_tag, read_members_tag
from chalicelib.model.syntax import GROUP_PATTERN, PROFILE_PATTERN, tag_text_fault

_profiles = st.from_regex(PROFILE_PATTERN, fullmatch=True)
_groups = st.from_regex(GROUP_PATTERN, fullmatch=True)


@pytest.mark.parametrize(
    ("members", "text"),
    [
        (None, None),
        (Members(("emqx",)), "profile=emqx"),
        (Members((), ("mqtt",)), "group=mqtt"),
        (Members(("emqx-*", "a=b"), ("mqtt(blue",)), "profile=emqx-:2A profile=a=b group=mqtt:28blue"),
        (Members((), ("100%", "a,b")), "group=100:25 group=a:2Cb"),
    ],
)
def test_the_tag_names_profiles_and_groups(members: Members | None, text: str | None) -> None:
    assert members_tag(members) == text
    assert read_members_tag(text) == members


@given(
    st.lists(_profiles, max_size=3, unique=True).map(tuple),
    st.lists(_groups, max_size=3, unique=True).map(tuple),
)
def test_every_name_goes_through_the_tag_in_characters_that_aws_takes(
    profiles: tuple[str, ...], groups: tuple[str, ...]
) -> None:
    text = members_tag(Members(profiles, groups))
    assert text is not None
    assert tag_text_fault(text) is None
    assert read_members_tag(text) == Members(profiles, groups)


@pytest.mark.parametrize(
    "text",
    [
        *("", "emqx", "profile", "profile =emqx", "Profile=emqx", "profile=", "profile=:2A group=:2A"),
        *("profile=:65mqx:20", "group=em:00qx"),
    ],
)
def test_a_spoilt_tag_admits_nobody(text: str) -> None:
    members = read_members_tag(text)
    assert members is not None
    assert not members.admits("emqx", "emqx")


@pytest.mark.parametrize("text", ["profile=mqtt-*", "profile=mqtt-%2A", "profile=mqtt-:2a"])
def test_a_star_is_read_in_each_spelling(text: str) -> None:
    assert read_members_tag(text) == Members(("mqtt-*",))


@pytest.mark.parametrize(
    ("profile", "group", "admitted"),
    [
        ("emqx", None, True),
        ("emqx", "web", True),
        ("EMQX", None, False),
        ("emqx-2", None, False),
        ("blue", None, False),
        (None, "mqtt-blue", True),
        (None, "mqtt-", True),
        (None, "mqtt", False),
        ("mqtt-blue", "emqx", False),
        (None, None, False),
    ],
)
def test_one_name_is_enough_and_a_star_stands_for_the_rest_of_one(
    profile: str | None, group: str | None, admitted: bool
) -> None:
    assert Members(("emqx",), ("mqtt-*",)).admits(profile, group) is admitted
