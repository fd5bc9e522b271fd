"""The stories that each function has a part in; together they need all that its policy grants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tests.enforced import Deployment
from tests.enforced.certificates import asked, due, ordered, probed, renewed, rolled_back
from tests.enforced.membership import events, interruptions, lifecycles, names_kept, swept, watched
from tests.enforced.provisioning import (
    adopted,
    article,
    crowded,
    deleted_slowly,
    drifting_in_the_background,
    every_certificate,
    every_drift,
    in_a_group,
    let_go_slowly,
    made_in_the_background,
    named,
    network,
    network_adopted,
    network_in_the_background,
)

Story = Callable[[Deployment], object]

STORIES: Mapping[str, Sequence[Story]] = {
    "api_handler": (
        article,
        every_certificate,
        every_drift,
        adopted,
        in_a_group,
        crowded,
        named,
        network,
        network_adopted,
        network_in_the_background,
        asked,
        rolled_back,
        deleted_slowly,
        ordered,
        probed,
    ),
    "provision": (
        article,
        made_in_the_background,
        drifting_in_the_background,
        let_go_slowly,
        named,
        deleted_slowly,
        network_in_the_background,
        ordered,
    ),
    "register": (events,),
    "drain": (interruptions, lifecycles),
    "reconcile": (events, lifecycles, swept, names_kept, watched),
    "rotate": (due, asked, rolled_back, ordered, renewed),
    "expiring": (due,),
    "probe": (probed,),
    "deep_probe": (probed, asked),
    "widget": (probed,),
}
