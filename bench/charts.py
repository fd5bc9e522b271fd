"""Pictures of what was measured, as SVG: a page on GitHub runs no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.job import Chart, Job, Result, Row
from bench.statistics import Spread, figures, spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Seen = Sequence[tuple[Row, Spread]]

OURS, BESIDE = "#4477aa", "#bbbbbb"
COLOURS = ("#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#888888")  # everyone can distinguish them
LOGARITHMIC_FROM = 100
"""A picture whose largest figure is so many times its smallest has a logarithmic axis, and says so."""


def draw(job: Job, chart: Chart, result: Result, path: Path) -> bool:
    """Write one picture; False when there is nothing to be seen. The same figures give the same bytes."""
    # Imported here: it takes a second, and pictures are drawn last.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    seen = [(row, found) for row in result.rows if (found := spread(figures(row, chart.figure)))]
    if not seen:
        return False
    scale = "log" if logarithmic([found for _, found in seen]) else "linear"
    title = next(one.title for one in job.figures if one.key == chart.figure)
    label = f"{title}{' (logarithmic)' if scale == 'log' else ''}"
    style: Any = {"svg.hashsalt": job.name, "svg.fonttype": "none", "font.family": "sans-serif"}
    with mpl.rc_context(style):
        height = 4.0 if chart.at else 0.9 + 0.32 * (len(seen) + len({row.case for row, _ in seen}))
        picture = Figure(figsize=(8.5, height), layout="constrained")
        axes = picture.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(chart.title, loc="left", fontsize=11, fontweight="bold")
        if chart.at:
            lines(axes, seen, chart.at)
            axes.set(xlabel=chart.across, ylabel=label, yscale=scale)
        else:
            bars(axes, seen, dots=scale == "log")
            axes.set(xlabel=label, xscale=scale)
        picture.savefig(path, format="svg", facecolor="white", metadata={"Date": None, "Creator": None})
    return True


def logarithmic(seen: Sequence[Spread]) -> bool:
    """Return whether the figures are too far apart for one linear axis, and can have a logarithm."""
    return min(one.least for one in seen) > 0 and (
        max(one.most for one in seen) >= LOGARITHMIC_FROM * min(one.median for one in seen)
    )


def bars(axes: Axes, seen: Seen, *, dots: bool) -> None:
    """Draw a bar for each row, case by case downwards, with its range and its median.

    On a logarithmic axis a bar's length says nothing: `dots` draws only where it would end.
    """
    several = len({row.case for row, _ in seen}) > 1
    at, ticks, before = 0, [], None
    for row, found in seen:
        if several and row.case != before:
            ticks.append((at, row.case))
            at, before = at + 1, row.case
        colour = OURS if row.ours else BESIDE
        if dots:
            axes.plot([found.median], [at], marker="o", markersize=9, color=colour)
        else:
            axes.barh(at, found.median, height=0.7, color=colour)
        axes.plot([found.least, found.most], [at, at], color="black", linewidth=1)
        text = f"{found.median:,.3g}" if found.median < 1000 else f"{found.median:,.0f}"
        end = (max(found.most, found.median), at)
        axes.annotate(text, end, xytext=(8, 0), textcoords="offset points", va="center", fontsize=9)
        ticks.append((at, row.contender))
        at += 1
    axes.set_yticks([at for at, _ in ticks], labels=[name for _, name in ticks])
    cases = {row.case for row, _ in seen} if several else set()
    for label in axes.get_yticklabels():
        label.set_fontweight("bold" if label.get_text() in cases else "normal")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y" if dots else "x", color="#eeeeee")
    axes.set_axisbelow(True)
    axes.set_ylim(at - 0.4, -0.6)
    axes.margins(x=0.12)


def lines(axes: Axes, seen: Seen, at: Mapping[str, float]) -> None:
    """Draw a line for each contender over the cases, with the range as a band."""
    beside = cycle(COLOURS)
    for contender, ours in dict.fromkeys((row.contender, row.ours) for row, _ in seen):
        colour = OURS if ours else next(beside)
        points = [
            (at[row.case], found) for row, found in seen if row.contender == contender and row.case in at
        ]
        points.sort(key=lambda point: point[0])
        across = [x for x, _ in points]
        axes.plot(across, [found.median for _, found in points], marker="o", color=colour, label=contender)
        least, most = [found.least for _, found in points], [found.most for _, found in points]
        axes.fill_between(across, least, most, color=colour, alpha=0.2, linewidth=0)
    marks = sorted(set(at.values()))
    if marks[0] > 0:
        axes.set_xscale("log")
    axes.set_xticks(marks, labels=[f"{mark:,g}" for mark in marks])
    axes.minorticks_off()
    axes.grid(color="#eeeeee")
    axes.legend(frameon=False)
