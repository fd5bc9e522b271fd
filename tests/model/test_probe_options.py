from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model.probe_options import ProbeOptions, probe_tag, read_probe_tag
from chalicelib.model.syntax import tag_text_fault
from tests.world.strategies import probe_options


@given(probe_options)
def test_what_is_read_from_the_tag_is_what_was_written_into_it(options: ProbeOptions) -> None:
    assert read_probe_tag(probe_tag(options)) == options


@given(probe_options)
def test_the_tag_holds_only_what_a_tag_can_hold(options: ProbeOptions) -> None:
    assert tag_text_fault(probe_tag(options) or "") is None


def test_the_defaults_need_no_tag() -> None:
    assert probe_tag(ProbeOptions()) is None
    assert read_probe_tag(None) == ProbeOptions()


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("enabled=false qos=2 protocol=5", ProbeOptions(False, 2, "5")),
        ("  qos=0   enabled=true ", ProbeOptions(True, 0)),
        ("credentials_secret_id=a=b", ProbeOptions(credentials_secret_id="a=b")),
        ("qos=7 enabled=yes protocol=4", ProbeOptions()),
        ("colour=blue qos=2", ProbeOptions(qos=2)),
        ("ca_secret_id=", ProbeOptions()),
        ("ca_secret_id=ä", ProbeOptions()),
        ("nonsense", ProbeOptions()),
        ("plain_credentials=true", ProbeOptions(plain_credentials=True)),
        ("plain_credentials=yes", ProbeOptions()),
    ],
)
def test_a_tag_that_was_edited_by_hand_counts_as_far_as_it_can_be_read(
    text: str, options: ProbeOptions
) -> None:
    assert read_probe_tag(text) == options


@given(st.text())
def test_no_text_makes_reading_the_tag_fail(text: str) -> None:
    read_probe_tag(text)
