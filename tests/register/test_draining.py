"""What an interruption or a recommendation leaves written on an instance, in whichever order they come."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model.load_balancer import Instance
from chalicelib.register.plan import REBALANCE, SPOT_INTERRUPTION, draining_tag, tag_to_write

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LAUNCHED = NOW - timedelta(hours=2)
INSTANCE = Instance(id="i-1", state="running", vpc="vpc-1", zone="eu-central-1a", launched=LAUNCHED)


marks = st.tuples(
    st.integers(-180, 0).map(lambda minutes: NOW + timedelta(minutes=minutes)),
    st.sampled_from((SPOT_INTERRUPTION, REBALANCE)),
)


@given(st.lists(marks, max_size=5), st.randoms(use_true_random=False))
def test_in_whichever_order_events_come_the_same_is_written(
    events: list[tuple[datetime, str]], random: Any
) -> None:
    def written(order: list[tuple[datetime, str]]) -> str | None:
        instance = INSTANCE
        for since, reason in order:
            text = tag_to_write(instance, since, reason, NOW)
            instance = replace(instance, draining=text or instance.draining)
        return instance.draining

    shuffled = [*events, *events]
    random.shuffle(shuffled)
    assert written(shuffled) == written(events)


@pytest.mark.parametrize(
    ("there", "since", "reason", "written"),
    [
        (None, NOW, SPOT_INTERRUPTION, True),
        (None, LAUNCHED - timedelta(seconds=1), SPOT_INTERRUPTION, False),
        (None, NOW - timedelta(hours=1), REBALANCE, False),
        (draining_tag(LAUNCHED - timedelta(1), SPOT_INTERRUPTION), NOW, REBALANCE, True),
        (draining_tag(NOW, SPOT_INTERRUPTION), NOW, SPOT_INTERRUPTION, False),
        (draining_tag(NOW, REBALANCE), NOW, SPOT_INTERRUPTION, True),
        (draining_tag(NOW, SPOT_INTERRUPTION), NOW, REBALANCE, False),
        ("maintenance", NOW, SPOT_INTERRUPTION, False),
    ],
)
def test_when_an_event_is_written_on_the_instance(
    there: str | None, since: datetime, reason: str, written: bool
) -> None:
    text = tag_to_write(replace(INSTANCE, draining=there), since, reason, NOW)
    assert text == (draining_tag(since, reason) if written else None)
