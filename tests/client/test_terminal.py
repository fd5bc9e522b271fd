"""What people see, at the letter: in a terminal of 60 columns, in a pipe, and without colours."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from emq_elb import views
from emq_elb.faults import Failed, FaultsInFiles, FileFault
from emq_elb.terminal import UNBROKEN, Terminal, View, console

PLAN = {
    "plans": [
        {
            "file": "demo.yaml",
            "name": "demo",
            "change": "change",
            "fields": [
                {"sign": "~", "field": "keepalive", "before": 300, "after": 600},
                {"sign": "-", "field": "instances", "before": "i-0123456789abcdef0", "after": None},
                {"sign": "+", "field": "tags.team", "before": None, "after": "core"},
            ],
            "actions": [
                {"action": "SetLoadBalancerPoliciesOfListener", "reason": "port 8883 negotiates otherwise"},
                {"action": "AddTags", "reason": "tags differ"},
            ],
            "warnings": [
                {
                    "code": "single-zone",
                    "message": "all is in eu-central-1a: when that zone fails, so does the load balancer",
                }
            ],
        },
        {"file": "demo.yaml", "name": "other", "change": "none", "fields": [], "actions": [], "warnings": []},
    ]
}
LIST = {
    "load_balancers": [
        {
            "name": "demo",
            "dns_name": "demo-1.eu-central-1.elb.amazonaws.com",
            "state": "ready",
            "cluster": "demo",
            "scheme": "internal",
            "listeners": [{"port": 8883}, {"port": 18083}],
            "instances": ["i-1", "i-2"],
        }
    ]
}
PROBE = {
    "name": "demo",
    "verdict": "degraded",
    "targets": [
        {
            "address": "192.0.2.10",
            "port": 8883,
            "verdict": "ok",
            "times_ms": {"dns": 1.23, "tcp": 0.4, "tls": 3.1, "connack": 0.9, "suback": 123.4, "echo": 0.5},
            "tls": {"version": "TLSv1.2", "cipher": "ECDHE-RSA-AES128-GCM-SHA256"},
            "certificate": {"serial": "0A1B", "not_after": "2027-02-01T00:00:00Z", "days_left": 70},
        },
        {
            "address": "192.0.2.11",
            "port": 8883,
            "verdict": "failed",
            "phase": "tcp",
            "cause": "tcp-refused",
            "detail": "Connection refused",
            "times_ms": {"dns": 1.2},
            "tls": None,
            "certificate": None,
        },
    ],
}
ROTATION = {
    "name": "demo",
    "state": "rotated",
    "verified": True,
    "reason": "it was asked for; seen at all 2 addresses",
    "certificate": {"serial": "5E0F", "not_after": "2027-02-20T16:05:45Z", "domains": ["a.example.com", "b"]},
    "warnings": [],
}
NETWORK = {
    "name": "fast",
    "type": "network",
    "dns_name": "fast.example.com",
    "state": "ready",
    "scheme": "internal",
}
GOLDEN: list[tuple[View, Any, str]] = [
    (
        views.plans,
        PLAN,
        """
demo will be changed  demo.yaml

   FIELD      NOW                  THEN
~  keepalive  300                  600
-  instances  i-0123456789abcdef0
+  tags.team                       core

   AWS CALL                           REASON
1  SetLoadBalancerPoliciesOfListener  port 8883 negotiates
                                      otherwise
2  AddTags                            tags differ

WARNING
single-zone  all is in eu-central-1a: when that zone fails,
             so does the load balancer

other is as declared  demo.yaml

Plan: 0 to create, 1 to change, 1 as declared; 2 AWS calls.
""",
    ),
    (
        views.balancers,
        LIST,
        """
NAME  STATE  SCHEME    PORTS       MEMBERS  DNS NAME
demo  ready  internal  8883,18083        2  demo-1.eu-centra
                                            l-1.elb.amazonaw
                                            s.com
""",
    ),
    (
        views.balancers,
        {"load_balancers": [{**LIST["load_balancers"][0], "cluster": "mqtt", "dns_name": "a.example.com"}]},
        """
NAME  CLUSTER  STATE  SCHEME    PORTS     MEMBERS  DNS NAME
demo  mqtt     ready  internal  8883,180        2  a.example
                                83                 .com
""",
    ),
    (
        views.balancers,
        {"load_balancers": [LIST["load_balancers"][0], NETWORK]},
        """
NAME  TYPE     STATE  SCHEME    PORTS     MEMBERS  DNS NAME
demo  classic  ready  internal  8883,180        2  demo-1.eu
                                83                 -central-
                                                   1.elb.ama
                                                   zonaws.co
                                                   m
fast  network  ready  internal  -               -  fast.exam
                                                   ple.com
""",
    ),
    (
        views.probed,
        PROBE,
        """
demo: degraded, port 8883; times in ms

  ADDRESS    dns tcp tls connack suback puback echo
✓ 192.0.2.10 1.2 0.4 3.1     0.9    123      -  0.5
✗ 192.0.2.11 1.2   -   -       -      -      -    -

192.0.2.11:8883 fails at tcp: tcp-refused: Connection
refused

TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256, certificate 0A1B for 70
more days, until 2027-02-01T00:00:00Z
""",
    ),
    (
        views.rotation,
        ROTATION,
        """
demo
state                  rotated
proven                 yes, by TLS handshakes
reason                 it was asked for; seen at all 2
                       addresses
certificate.serial     5E0F
certificate.not_after  2027-02-20T16:05:45Z
certificate.domains    a.example.com, b
""",
    ),
]
GARBAGE = [
    {},
    {"name": None, "targets": [None, {}], "load_balancers": ["x", {}], "plans": [{}, 1], "warnings": {}},
    {"targets": {}, "load_balancers": 3, "plans": None, "actions": [1], "certificate": "x", "instances": [1]},
    {"name": "[bold]demo[/bold]", "state": ":smile:", "listeners": [1], "instances": "x", "dns": {}},
]


def shown(view: View, value: Any, width: int = 60) -> str:
    """What a terminal of that width shows, by rich's own recording."""
    made = Console(file=StringIO(), record=True, width=width, markup=False, highlight=False, emoji=False)
    Terminal(made, made, StringIO()).show(view, value)
    return "\n".join(line.rstrip() for line in made.export_text().splitlines())


@pytest.mark.parametrize(
    ("view", "value", "golden"), GOLDEN, ids=["plan", "list", "clusters", "types", "probe", "rotate"]
)
def test_a_terminal_of_60_columns(view: View, value: Any, golden: str) -> None:
    assert shown(view, value) == golden.strip("\n")
    assert max(map(len, shown(view, value).splitlines())) <= 60


@pytest.mark.parametrize("view", [view for view, _, _ in GOLDEN])
def test_a_pipe_gets_a_line_a_row_and_no_colours(view: View) -> None:
    file = StringIO()
    piped = console(file, {})
    Terminal(piped, piped, StringIO()).show(view, {"name": "demo", **PLAN, **LIST, **PROBE})
    assert piped.width == UNBROKEN
    assert "\x1b" not in file.getvalue()


class Screen(StringIO):
    """A file that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours_are_for_terminals_and_no_color_is_respected(
    environment: dict[str, str], coloured: bool
) -> None:
    file = Screen()
    screen = console(file, {"TERM": "xterm-256color", "COLUMNS": "60"} | environment)
    Terminal(screen, screen, StringIO()).show(views.balancers, LIST)
    assert ("\x1b[32m" in file.getvalue()) == coloured


@pytest.mark.parametrize("value", GARBAGE)
@pytest.mark.parametrize(
    "view",
    [views.plans, views.balancers, views.balancer, views.probed, views.rotation, views.report],
)
def test_an_answer_that_is_not_as_it_should_be_is_shown_all_the_same(view: View, value: Any) -> None:
    assert "bold" not in shown(view, {"name": "demo"} | value) or "[bold]" in shown(view, value)


def test_nothing_of_an_answer_steers_the_terminal() -> None:
    assert "\x1b" not in shown(views.balancers, {"load_balancers": [{"name": "\x1b]0;x\x07demo"}]})


def test_a_fault_is_shown_with_its_place_and_what_to_do() -> None:
    made = Console(file=StringIO(), record=True, width=60)
    terminal = Terminal(made, made, StringIO(), known={"MIIEvQIBADANBgkq"})
    terminal.fail(FaultsInFiles([FileFault("a.yaml", 3, 5, "subnets[0]", "MIIEvQIBADANBgkq is no subnet")]))
    terminal.fail(Failed("it is [bold]wrong[/bold]", "do the other thing"))
    assert made.export_text() == (
        "a.yaml:3:5: subnets[0]: (private key, not shown) is no subnet\n"
        "emq-elb: one fault; nothing was changed\n"
        "emq-elb: it is [bold]wrong[/bold]\n"
        "  do the other thing\n"
    )
