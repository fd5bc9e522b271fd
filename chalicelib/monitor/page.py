"""The status table as HTML: for the dashboard's custom widget, and for anything else that shows HTML.

No script: buttons are CloudWatch's own `cwdb-action`, which asks for confirmation and invokes a function.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard_interactivity.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

from chalicelib.probe.plan import Outcome, Verdict


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table; None stands for a value that is not known."""

    name: str
    cluster: str
    state: str
    healthy: int | None
    registered: int | None
    days_left: float | None
    succeeded: bool | None
    probed: datetime | None


# Colours come from the page around it (CloudWatch has a light and a dark theme), but for three that carry a
# meaning, which words carry too; those read well on white and on black.
_STYLE = """<style>
.emq-elb{width:100%;border-collapse:collapse;color:inherit;background:transparent;font:inherit}
.emq-elb caption{text-align:left;color:inherit;padding:2px 8px 6px}
.emq-elb th,.emq-elb td{text-align:left;padding:6px 8px;color:inherit}
.emq-elb th,.emq-elb td{border-bottom:1px solid rgba(128,128,128,.4)}
.emq-elb td.n{font-variant-numeric:tabular-nums}
.emq-elb b{padding:1px 7px;border-radius:9px;color:#fff;font-weight:600;white-space:nowrap}
.emq-elb .good{background:#1d7a3e}.emq-elb .fair{background:#9a5b00}.emq-elb .bad{background:#c62828}
.emq-elb cwdb-action{display:none}
.emq-elb .none{background:#6b6b6b}.emq-elb .btn{white-space:nowrap;margin-right:6px;cursor:pointer}
</style>"""
_SOON = 15


def table(rows: Iterable[Row], *, widget_arn: str, now: datetime) -> str:
    """The table, by name, with a button to probe and one to rotate."""
    lines = [_line(row, widget_arn, now) for row in sorted(rows, key=lambda row: row.name)]
    heads = ("load balancer", "state", "in service", "certificate", "last probe", "now")
    head = "".join(f"<th scope=col>{head}</th>" for head in heads)
    empty = f"<tr><td colspan={len(heads)}>There is no load balancer of ours.</td></tr>"
    return (
        f"{_STYLE}<table class=emq-elb><caption>{now:%Y-%m-%d %H:%M} UTC</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines) or empty}</tbody></table>"
    )


def _line(row: Row, widget_arn: str, now: datetime) -> str:
    cells = (
        f"<th scope=row>{escape(row.name)}{_cluster(row)}</th>",
        f"<td>{_mark('good' if row.state == 'ready' else 'fair', row.state)}</td>",
        f"<td class=n>{_members(row)}</td>",
        f"<td class=n>{_days(row.days_left)}</td>",
        f"<td>{_probe(row, now)}</td>",
        f"<td>{''.join(_button(action, row.name, widget_arn) for action in ('probe', 'rotate'))}</td>",
    )
    return f"<tr>{''.join(cells)}</tr>"


def _cluster(row: Row) -> str:
    """The cluster, where it is not that of the load balancer's own name."""
    return "" if row.cluster == row.name else f"<br><small>of {escape(row.cluster)}</small>"


def _mark(kind: str, text: str) -> str:
    return f"<b class={kind}>{escape(text)}</b>"


def _members(row: Row) -> str:
    if row.healthy is None or row.registered is None:
        known = ("?" if count is None else count for count in (row.healthy, row.registered))
        return _mark("none", "{} of {}".format(*known))
    kind = "bad" if row.healthy == 0 else "good" if row.healthy >= row.registered else "fair"
    return _mark(kind, f"{row.healthy} of {row.registered}")


def _days(days: float | None) -> str:
    if days is None:
        return _mark("none", "unknown")
    if days < 0:
        return _mark("bad", "expired")
    return _mark("good" if days >= _SOON else "bad", f"{days:.0f} days")


def _probe(row: Row, now: datetime) -> str:
    if row.succeeded is None or row.probed is None:
        return _mark("none", "never seen")
    ago = max(0, (now - row.probed) // timedelta(minutes=1))
    return f"{_mark('good', 'ok') if row.succeeded else _mark('bad', 'failed')} {ago} min ago"


def _button(action: str, name: str, widget_arn: str) -> str:
    label = action.capitalize()
    called = escape(json.dumps({"action": action, "name": name}), quote=False)
    question = escape(f"{label} {name} now?")
    return (
        f'<a class="btn btn-primary" role=button tabindex=0>{label}</a><cwdb-action action=call display=popup'
        f' confirmation="{question}" endpoint="{escape(widget_arn)}">{called}</cwdb-action>'
    )


def verdict_page(verdict: Verdict) -> str:
    """What a probe just saw, address by address."""
    kind = {"ok": "good", "degraded": "fair", "failed": "bad"}[verdict.grade]
    heads = "".join(f"<th scope=col>{head}</th>" for head in ("address", "port", "outcome", "times, ms"))
    lines = "".join(_outcome(outcome) for outcome in verdict.outcomes)
    title = f"{escape(verdict.load_balancer)} {_mark(kind, verdict.grade)}"
    return (
        f"{_STYLE}<table class=emq-elb><caption>{title}</caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"
    )


def _outcome(outcome: Outcome) -> str:
    failure = outcome.failure
    mark = _mark("bad", f"{failure.phase}: {failure.cause}") if failure else _mark("good", "ok")
    words = f" {escape(failure.detail)}" if failure and failure.detail else ""
    times = ", ".join(f"{phase} {spent:.1f}" for phase, spent in outcome.times_ms.items())
    return (
        f"<tr><td>{escape(outcome.address or '-')}</td><td class=n>{outcome.port}</td><td>{mark}{words}</td>"
        f"<td class=n>{escape(times)}</td></tr>"
    )


def answer_page(sentence: str) -> str:
    """One sentence."""
    return f"<p>{escape(sentence)}</p>"


DESCRIPTION = """## EMQ load balancers

A table of the deployment's load balancers: state, instances in service, the certificate's days, the last
probe; buttons to probe now and to rotate the certificate now. It takes no parameters.
"""
"""What CloudWatch shows of the widget while somebody edits the dashboard, as Markdown."""
