"""Every story, every call in it, every class of refusal: nothing that serves is worse off, and the next run
in good weather ends in the same state.

`make test` runs some 600 of them, at least one for each call of each story; `make weather` runs them all.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator

import pytest

from tests.weather import certificates, membership, provision, watching
from tests.weather.apart import Stage
from tests.weather.refusals import A_WHILE, OF_IT, Refusal, Sky, refusals
from tests.weather.stories import Good, Scene, Story, busy, harm, listed, serving, under

STORIES: tuple[Story, ...] = (
    *membership.STORIES,
    *provision.STORIES,
    *certificates.STORIES,
    *watching.STORIES,
)
EVERY = 1 if os.environ.get("WEATHER") == "all" else 4


@pytest.fixture(scope="module")
def stages() -> Iterator[Callable[[Story], Stage]]:
    """The scene of a story: that of the last one is kept, since its runs follow one another."""
    kept: dict[Story, Stage] = {}

    def stage(story: Story) -> Stage:
        if story not in kept:
            for other in [*kept]:
                kept.pop(other).close()
            kept[story] = Stage(story)
        return kept[story]

    yield stage
    for one in kept.values():
        one.close()


def runs() -> Iterator[tuple[Story, Refusal | None]]:
    """Each story in good weather, and the refusals that it meets: of each call at least one."""
    for story in STORIES:
        yield story, None
        for call in story.kinds:
            found = refusals(call)
            turn = zlib.crc32(f"{story.name} {call}".encode())
            every = min(EVERY, len(found))
            for place, refusal in enumerate(found):
                if (turn + place) % every == 0:
                    yield story, refusal


@pytest.mark.parametrize(("story", "refusal"), [*runs()], ids=lambda one: str(one or "good weather"))
def test_a_story_ends_well_and_a_refusal_does_no_harm(
    stages: Callable[[Story], Stage], story: Story, refusal: Refusal | None
) -> None:
    stage = stages(story)
    assert stage.good.failures == ()
    if refusal:
        stage.play(met, refusal)
    else:
        assert {*story.kinds, *listed(story.also)} == {*stage.good.calls}


def differing(one: object, other: object, place: str = "") -> list[str]:
    """Where two values differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            found
            for key in {*one, *other}
            for found in differing(one.get(key), other.get(key), f"{place} {key}")
        ]
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        return [found for each in zip(one, other, strict=True) for found in differing(*each, place)]
    return [] if one == other else [f"{place}: {one}, and not {other}"]


def met(story: Story, scene: Scene, fine: Good, refusal: Refusal) -> None:
    """Run the story under a refusal, and what comes after it."""
    busy(scene.here)
    sky = Sky(scene.here, scene.its, scene.others, refusal)
    failures = under(sky, story.act, scene)
    assert sky.refused or sky.spared, "the story makes the call"
    if not sky.refused:
        return
    now = serving(scene)
    worse = harm(fine.before, now, fine.serving, story.moved)
    assert not worse, worse
    assert now["theirs"] == fine.before["theirs"], "nobody touches a stranger's"
    if refusal.call.endswith(OF_IT):
        assert now.get("neighbour") == fine.serving.get("neighbour"), "others are served"
    assert {*map(type, failures)} == story.expected(refusal), [*map(str, failures)]
    if not failures and not story.leaves(refusal):
        assert now == fine.serving, "what must happen has happened"
    scene.here.sleep(A_WHILE.total_seconds())
    left = story.again(scene)
    assert left == (), [*map(str, left)]
    end = story.end(scene)
    assert end == fine.at_last, differing(end, fine.at_last)
