"""What AWS was seen to answer: `verified.json`, the report to post, and the table in docs/conformance.md.

Only answers of AWS itself are recorded. A run on moto confirms nothing, and writes a report alone.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from conformance.beyond import BEYOND
from conformance.rule import RULES, Rule
from conformance.run import Result

VERIFIED = Path(__file__).with_name("verified.json")
PAGE = Path(__file__).parents[1] / "docs" / "conformance.md"
BEGIN, END = "<!-- facts: python -m conformance table -->", "<!-- end of facts -->"
ACCOUNT = re.compile(r"\b\d{12}\b")

Verified = Mapping[str, Sequence[Mapping[str, str]]]
"""By the rule's name what AWS answered, the latest for each region: date, region, verdict, said."""


def read(path: Path = VERIFIED) -> Verified:
    """Return what AWS was seen to answer so far."""
    found: Verified = json.loads(path.read_text())
    return found


def updated(before: Verified, results: Iterable[Result], region: str, now: datetime) -> Verified:
    """Return the record with the answers of a run at AWS, which replace those of the same region."""
    after: dict[str, Sequence[Mapping[str, str]]] = dict(before)
    for result in results:
        if result.verdict in {"held", "answered", "differs"}:
            seen = {
                "date": f"{now:%Y-%m-%d}",
                "region": region,
                "verdict": result.verdict,
                "said": anonymous(result.said),
            }
            others = [one for one in after.get(result.rule.name, ()) if one["region"] != region]
            after[result.rule.name] = sorted([*others, seen], key=lambda one: one["region"])
    return dict(sorted(after.items()))


def write(record: Verified, path: Path = VERIFIED) -> None:
    """Write the record."""
    path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def anonymous(text: str) -> str:
    """Return the text without the account's number."""
    return ACCOUNT.sub("123456789012", text)


def report(results: Sequence[Result], where: str, left: Sequence[str], now: datetime) -> str:
    """Return the report: what differs first, with what of ours stands on it."""
    by_verdict: dict[str, list[Result]] = {}
    for result in results:
        by_verdict.setdefault(result.verdict, []).append(result)
    counts = ", ".join(f"{len(found)} {verdict}" for verdict, found in sorted(by_verdict.items()))
    lines = [f"# Conformance: {where}, {now:%Y-%m-%d %H:%M} UTC", "", f"{len(results)} rules: {counts}.", ""]
    for verdict, title in (
        ("differs", "AWS answers otherwise"),
        ("failed", "Could not be asked"),
        ("answered", "Open questions"),
        ("held", "As we believe"),
        ("left out", "Left out"),
    ):
        found = by_verdict.get(verdict, [])
        if not found:
            continue
        lines += [f"## {title}", ""]
        for result in found:
            lines += entry(result) if verdict in {"differs", "failed"} else [brief(result)]
        lines.append("")
    if left:
        lines += ["## Still there", "", *[f"- {one}" for one in left], ""]
    return anonymous("\n".join(lines))


def entry(result: Result) -> list[str]:
    """Return a finding: the fact, its pages, what AWS says, and the files that stand on it."""
    rule = result.rule
    return [
        f"### `{rule.name}`",
        "",
        f"- Fact: {rule.fact}",
        *[f"- Page: {page}" for page in rule.pages],
        f"- AWS: {result.said}",
        f"- In the lab: {', '.join(rule.corrections) or 'nothing'}",
        f"- Code: {', '.join(rule.code)}",
        "",
    ]


def brief(result: Result) -> str:
    """Return one line for a rule with nothing to mend."""
    return f"- `{result.rule.name}`{f': {result.said}' if result.said else ''}"


def table(verified: Verified, rules: Iterable[Rule] | None = None) -> str:
    """Return the tables of all facts with when and where AWS confirmed each."""
    lines: list[str] = []
    topic = ""
    for rule in RULES.values() if rules is None else rules:
        if rule.topic != topic:
            topic = rule.topic
            lines += ["", f"### {topic}", "", "| fact | rule | at AWS |", "|---|---|---|"]
        pages = " ".join(f"[{number}]({page})" for number, page in enumerate(rule.pages, 1))
        moto = " Not on moto." if rule.left_out else ""
        kind = "Question: " if rule.question else ""
        lines.append(
            f"| {kind}{escaped(rule.fact)} {pages}{moto} | `{rule.name}` | {confirmed(rule, verified)} |"
        )
    lines += ["", "### Facts that no run asks about", "", "| fact | why |", "|---|---|"]
    lines += [f"| {escaped(fact)} | {escaped(why)} |" for fact, why in BEYOND]
    return "\n".join(lines).strip()


def confirmed(rule: Rule, verified: Verified) -> str:
    """Return when and where AWS answered, or that nobody has asked it yet."""
    seen = [
        f"{one['date']} {one['region']}: {escaped(one['said']) or one['verdict']}"
        if rule.question
        else f"{one['date']} {one['region']}{'' if one['verdict'] == 'held' else ': differs'}"
        for one in verified.get(rule.name, ())
    ]
    return "; ".join(seen) or "not yet"


def escaped(text: str) -> str:
    """Return a text for a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def page(text: str, facts: str) -> str:
    """Return docs/conformance.md with the tables in their place."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{facts}\n\n{END}{rest.partition(END)[2]}"


def shown(needs: Iterable[Any]) -> list[str]:
    """Return what a run makes, one line each."""
    counted = Counter(
        f"   {need.name}" + (f" (${need.dollars:.3f})" if need.dollars else "") for need in needs
    )
    return [name if times == 1 else f"{name}, {times} times" for name, times in counted.items()]
