"""What people see of an answer: tables that fit into a narrow terminal, and into a pipe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

ARROW = "→"
STYLES = {
    "ready": "green",
    "ok": "green",
    "InService": "green",
    "healthy": "green",
    "rotated": "green",
    "pending": "yellow",
    "initial": "yellow",
    "degraded": "yellow",
    "kept": "yellow",
    "failed": "red",
    "OutOfService": "red",
    "unhealthy": "red",
    "unused": "red",
    "rolled-back": "red",
}
PHASES = ("dns", "tcp", "tls", "connack", "suback", "puback", "echo")

Json = Mapping[str, Any]


# A column of names is not broken below this width: the longest name of an AWS call has 39 letters.
NAME_WIDTH = 40


def table(
    *headings: str,
    rows: Iterable[Sequence[RenderableType]],
    right: Iterable[str] = (),
    whole: str | None = None,
    gap: int = 2,
) -> Table:
    """Return a table without lines. Texts that are too wide go on in the next line, those of `whole` last."""
    made = Table(
        box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold", show_header=any(headings)
    )
    cells = [*rows]
    for place, heading in enumerate(headings):
        longest = max((len(str(row[place])) for row in [headings, *cells]), default=0)
        made.add_column(
            heading,
            overflow="fold",
            justify="right" if heading in {*right} else "left",
            width=min(longest, NAME_WIDTH) if heading == whole else None,
        )
    for row in cells:
        made.add_row(*row)
    return made


def state(word: object) -> Text:
    """Return a state in its colour."""
    text = str(word or "")
    return Text(text, style=STYLES.get(text, ""))


def pairs(rows: Iterable[tuple[str, RenderableType]]) -> Table:
    """Return names and values in two columns."""
    return table("", "", rows=[(Text(name, style="bold"), value) for name, value in rows])


def objects(value: object) -> list[Json]:
    """Return the objects of a list in an answer; an answer may hold anything."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def listener(one: Json) -> str:
    """Return a listener in one line."""
    front = f"{one.get('protocol')} {one.get('port')}"
    return f"{front} {ARROW} {one.get('instance_protocol')} {one.get('instance_port')}"


def balancers(answer: Json) -> RenderableType:
    """Return the list of load balancers, `-` for what it does not say of a network one.

    Their clusters where not each serves that of its own name, their types where not all are classic.
    """
    found = objects(answer.get("load_balancers"))
    if not found:
        return Text("There are no load balancers of this deployment yet.")
    clusters = any(one.get("cluster", one.get("name")) != one.get("name") for one in found)
    types = any(one.get("type", "classic") != "classic" for one in found)
    return table(
        "NAME",
        *(["CLUSTER"] if clusters else []),
        *(["TYPE"] if types else []),
        "STATE",
        "SCHEME",
        "PORTS",
        "MEMBERS",
        "DNS NAME",
        right=["MEMBERS"],
        rows=[
            (
                str(one.get("name")),
                *([str(one.get("cluster", ""))] if clusters else []),
                *([str(one.get("type", "classic"))] if types else []),
                state(one.get("state")),
                str(one.get("scheme", "")),
                _ports(one),
                str(len(one["instances"]) if isinstance(one.get("instances"), list) else "-"),
                str(one.get("dns_name") or ""),
            )
            for one in found
        ],
    )


def _ports(one: Json) -> str:
    if "listeners" not in one:
        return "-"
    return ",".join(str(each.get("port")) for each in objects(one.get("listeners")))


def balancer(answer: Json) -> RenderableType:
    """Return one load balancer: each field that GET shows, in its order."""
    rows: list[tuple[str, RenderableType]] = []
    for name, value in answer.items():
        match name:
            case "state":
                rows.append((name, state(value)))
            case "listeners":
                rows.append((name, "\n".join(map(listener, objects(value)))))
            case "instances":
                rows.append((name, _members(value)))
            case "unmanaged":
                rows.append((name, plain(value, separator="\n")))
            case "certificate" if isinstance(value, Mapping):
                rows += [(f"{name}.{key}", plain(one)) for key, one in value.items()]
            case _ if isinstance(value, Mapping) and value:
                rows.append((name, "\n".join(f"{key} = {plain(one)}" for key, one in value.items())))
            case _:
                rows.append((name, plain(value)))
    return pairs(rows)


def _members(value: object) -> Text:
    lines = [
        Text.assemble(
            str(one.get("id")),
            " ",
            state(one.get("state")),
            f" {reason}" if (reason := one.get("reason")) else "",
        )
        for one in objects(value)
    ]
    return Text("\n").join(lines) if lines else Text("none")


def plain(value: object, separator: str = ", ") -> str:
    """Return a value as people write it."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case [] | {} if not value:
            return "none"
        case list():
            return separator.join(plain(one) for one in value)
        case Mapping():
            return separator.join(f"{key}={plain(one)}" for key, one in value.items())
        case _:
            return str(value)


def rotation(answer: Json) -> RenderableType:
    """Return what a rotation did, and what was proven."""
    proven = "yes, by TLS handshakes" if answer.get("verified") is True else "no"
    return _rotation(answer, [("state", state(answer.get("state"))), ("proven", proven)])


def rotation_planned(answer: Json) -> RenderableType:
    """Return what a rotation would do; the certificate is the one that is served now."""
    return _rotation(answer, [("would be", state(answer.get("state")))])


def _rotation(answer: Json, first: list[tuple[str, RenderableType]]) -> RenderableType:
    certificate = answer.get("certificate")
    held = certificate if isinstance(certificate, Mapping) else {}
    rows: list[tuple[str, RenderableType]] = [
        *first,
        ("reason", str(answer.get("reason") or "")),
        *((f"certificate.{key}", plain(value)) for key, value in held.items()),
    ]
    return Group(_title(answer), pairs(rows), *warnings(answer))


def probed(answer: Json) -> RenderableType:
    """Return the addresses, how far a device came at each, and how long each phase took."""
    if "targets" not in answer:
        return Text(f"{answer.get('name')}: the deep probe runs in the background; its result is in the log.")
    targets = objects(answer.get("targets"))
    ports = {one.get("port") for one in targets}
    where = "" if len(ports) != 1 else f", port {ports.pop()}"
    rows: list[tuple[RenderableType, ...]] = []
    for one in targets:
        times = one.get("times_ms")
        took = times if isinstance(times, Mapping) else {}
        rows.append((_mark(one), _address(one, where), *(_milliseconds(took.get(phase)) for phase in PHASES)))
    measured = table("", "ADDRESS", *PHASES, right=PHASES, rows=rows, whole="ADDRESS", gap=1)
    return Group(
        Text.assemble(
            (str(answer.get("name")), "bold"), ": ", state(answer.get("verdict")), f"{where}; times in ms"
        ),
        Text(),
        measured,
        *_failures(targets),
        *_served(targets),
    )


def _mark(one: Json) -> Text:
    return Text("✓", "green") if one.get("verdict") == "ok" else Text("✗", "red")


def _address(one: Json, said: str = "") -> str:
    """Return the address, with the port unless it was said; a name that does not resolve has no address."""
    address = str(one.get("address") or "?")
    return address if said else f"{address}:{one.get('port')}"


def _milliseconds(value: object) -> str:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return "-"
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _failures(targets: Iterable[Json]) -> Iterable[RenderableType]:
    failed = [one for one in targets if one.get("verdict") != "ok"]
    if failed:
        yield Text()
    for one in failed:
        detail = f": {one['detail']}" if one.get("detail") else ""
        yield Text.assemble(
            (_address(one), "red"),
            f" fails at {one.get('phase')}: {one.get('cause')}{detail}",
            overflow="fold",
        )


def _served(targets: Iterable[Json]) -> Iterable[RenderableType]:
    """What TLS was spoken and which certificates were seen, each once."""
    seen: dict[str, None] = {}
    for one in targets:
        tls, certificate = one.get("tls"), one.get("certificate")
        if isinstance(tls, Mapping) and isinstance(certificate, Mapping):
            text = (
                f"{tls.get('version')} {tls.get('cipher')}, certificate {certificate.get('serial')}"
                f" for {certificate.get('days_left')} more days, until {certificate.get('not_after')}"
            )
            seen[text] = None
    if seen:
        yield Text()
    yield from (Text(text) for text in seen)


def plans(answer: Json) -> RenderableType:
    """Return what declarations would change: fields, AWS calls, warnings, and the sum of it."""
    found = objects(answer.get("plans"))
    parts: list[RenderableType] = []
    for one in found:
        parts += [*_plan(one), Text()]
    count = Counter(one.get("change") for one in found)
    total = sum(len(objects(one.get("actions"))) for one in found)
    same = f", {count['none']} as declared" if count["none"] else ""
    parts.append(
        Text(
            f"Plan: {count['create']} to create, {count['change']} to change{same}; {total} AWS calls."
            if total
            else "No changes: all is as declared.",
            style="bold",
        )
    )
    return Group(*parts)


_WHAT = {"none": "is as declared", "create": "will be created", "change": "will be changed"}
_SIGNS = {"+": "green", "-": "red", "~": "yellow"}


def _plan(one: Json) -> Iterator[RenderableType]:
    what = _WHAT.get(str(one.get("change")), "")
    yield Text.assemble((str(one.get("name")), "bold"), f" {what}", (f"  {one.get('file')}", "dim"))
    fields = objects(one.get("fields"))
    if fields:
        yield Text()
        yield _fields(fields, created=one.get("change") == "create")
    yield from calls(one)
    yield from warnings(one)


def _fields(fields: Iterable[Json], *, created: bool) -> Table:
    """Return the fields that differ; of a new load balancer there is no value before."""
    rows: list[tuple[RenderableType, ...]] = []
    for one in fields:
        style = _SIGNS.get(str(one.get("sign")), "")
        before = [] if created else [plain(one.get("before"))]
        rows.append(
            (
                Text(str(one.get("sign")), style=style),
                Text(str(one.get("field")), style=style),
                *before,
                plain(one.get("after")),
            )
        )
    return table("", "FIELD", *(["VALUE"] if created else ["NOW", "THEN"]), rows=rows, whole="FIELD")


def outcome(done: Json) -> str:
    """Return what became of one declaration, in a sentence."""
    name, made = done.get("name"), len(objects(done.get("actions")))
    match done.get("state"):
        case "pending":
            return (
                f"{name}: {made} AWS calls made; AWS needs more time, and the rest goes on in the background"
            )
        case _:
            return f"{name}: done, {made} AWS calls; {done.get('dns_name') or ''}"


def deleted(done: Json) -> str:
    """Return what became of a DELETE, in a sentence."""
    if done.get("state") == "pending":
        return f"{done.get('name')} is being deleted: what needs longer is done in the background."
    return f"{done.get('name')} is deleted."


def report(answer: Json) -> RenderableType:
    """Return what a DELETE does or did: the AWS calls in their order, and the warnings."""
    return Group(_title(answer), *calls(answer), *warnings(answer))


def _title(answer: Json) -> Text:
    return Text(str(answer.get("name")), style="bold")


def calls(answer: Json) -> Iterable[RenderableType]:
    """Return the AWS calls of a report, numbered, each with its reason."""
    actions = objects(answer.get("actions"))
    if not actions:
        return
    yield Text()
    yield table(
        "",
        "AWS CALL",
        "REASON",
        right=[""],
        whole="AWS CALL",
        rows=[
            (str(number), str(one.get("action")), str(one.get("reason") or ""))
            for number, one in enumerate(actions, 1)
        ],
    )


def warnings(answer: Json) -> Iterable[RenderableType]:
    """Return the warnings of an answer."""
    found = objects(answer.get("warnings"))
    if found:
        yield Text()
        yield table(
            "WARNING",
            "",
            rows=[
                (Text(str(one.get("code")), style="yellow"), str(one.get("message") or "")) for one in found
            ],
        )
