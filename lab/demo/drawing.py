"""What `lab/demo/pictures.py` found, drawn with matplotlib: one SVG for a page, without a script.

Texts and axes take the page's own colour, so that the picture is readable on white and on black.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any

from lab.demo import pictures
from lab.demo.pictures import Bar, Dot, Fault, Line, Seen, clock

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Everyone can distinguish them from each other, and from white and from black.
COLOURS = ("#3d7cc9", "#d1603d", "#2e9461", "#a8792a", "#1f93ab", "#a85fc0")
TONES = {"good": "#2e9461", "bad": "#d23f3f"}
SHADE, OUTAGE = "#d23f3f", "#e0a030"
# Colours that stand for those of the page: nothing else in the picture has them.
TEXT, GRID = "#010203", "#040506"
OF_THE_PAGE = {TEXT: "currentColor", GRID: "var(--line)"}
WIDTH = 11.0
LABEL_LINE = 0.05
THICK = 0.55
SECONDS_A_TICK = (5, 10, 15, 30, 60, 120, 300)
MOST_TICKS = 14


def drawn(seen: Seen) -> str:
    """Return the picture as an SVG element."""
    # Imported here: it takes a second, and pictures are drawn last.
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    dots, bells, served = pictures.outcomes(seen), pictures.alarms(seen), pictures.certificates(seen)
    rows: Sequence[tuple[str, float, Callable[[Axes], None]]] = (
        ("Latency by phase, ms", 3.6, lambda at: _latency(at, seen)),
        ("Probes on request, by address", _height(dots), lambda at: _dots(at, dots)),
        ("Alarms that ring", _height(bells), lambda at: _bars(at, bells, good=0.12)),
        (
            "Certificate on the listener, and the days that it has left",
            _height(served),
            lambda at: _bars(at, served),
        ),
        ("Sessions that each broker has taken", 2.2, lambda at: _lines(at, pictures.sessions(seen))),
    )
    found = pictures.faults(seen)
    style: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "demo",
        "font.family": "sans-serif",
        "font.size": 10,
        "text.color": TEXT,
        "axes.labelcolor": TEXT,
        "axes.edgecolor": GRID,
        "xtick.color": TEXT,
        "ytick.color": TEXT,
    }
    with mpl.rc_context(style):
        picture = Figure(figsize=(WIDTH, sum(height for _, height, _ in rows) + 2.0), layout="constrained")
        every = picture.subplots(
            len(rows), 1, sharex=True, gridspec_kw={"height_ratios": [height for _, height, _ in rows]}
        )
        for axes, (title, _, draw) in zip(every, rows, strict=True):
            axes.set_title(title, loc="left", fontsize=11, fontweight="bold", pad=8)
            axes.patch.set_visible(False)
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(color=GRID, linewidth=0.6)
            axes.set_axisbelow(True)
            draw(axes)
            _shade(axes, pictures.outages(seen), found)
        _number(every[0], found)
        lasted = max(1.0, seen.at(seen.end))
        every[-1].set_xlim(0, lasted)
        every[-1].xaxis.set_major_locator(MultipleLocator(_tick(lasted)))
        every[-1].xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: clock(seconds)))
        every[-1].set_xlabel("minutes:seconds from the start of the run")
        return _element(picture)


def _tick(lasted: float) -> int:
    """Return the seconds between two marks: a round number that leaves the labels room."""
    return next((one for one in SECONDS_A_TICK if lasted / one <= MOST_TICKS), SECONDS_A_TICK[-1])


def _height(rows: Sequence[Bar | Dot]) -> float:
    return 0.35 + 0.27 * max(1, len({one.row for one in rows}))


def _latency(axes: Axes, seen: Seen) -> None:
    lines, dots = pictures.latency_lines(seen), pictures.latency_dots(seen)
    for phase, colour in zip(pictures.PHASES, COLOURS, strict=True):
        across, up = _split(lines.get(phase, ()))
        axes.plot(across, up, color=colour, linewidth=1.4)
        across, up = _split(dots[phase])
        axes.plot(across, up, color=colour, marker="o", markersize=4, linestyle="", label=phase)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.legend(**_LEGEND, ncols=len(pictures.PHASES))


def _lines(axes: Axes, lines: dict[str, Line]) -> None:
    for number, (name, line) in enumerate(lines.items()):
        across, up = _split(line)
        axes.plot(across, up, color=COLOURS[number % len(COLOURS)], linewidth=1.8, label=name)
    if lines:
        axes.legend(**_LEGEND, ncols=min(8, len(lines)))


# Beside the title, above the picture: it covers nothing.
_LEGEND: dict[str, Any] = {
    "loc": "lower right",
    "bbox_to_anchor": (1, 1),
    "frameon": False,
    "fontsize": 9,
    "borderaxespad": 0.2,
}


def _bars(axes: Axes, bars: Sequence[Bar], good: float = THICK) -> None:
    """Draw the bars; `good` is how thick those are that stand for nothing bad, of the height of a row."""
    places = _rows(axes, [bar.row for bar in bars])
    for bar in bars:
        height = THICK if bar.tone == "bad" else good
        length = bar.ended - bar.began
        axes.barh(places[bar.row], length, left=bar.began, height=height, color=TONES[bar.tone])


def _dots(axes: Axes, dots: Sequence[Dot]) -> None:
    places = _rows(axes, [dot.row for dot in dots])
    for tone, marker in (("good", "o"), ("bad", "X")):
        found = [dot for dot in dots if dot.tone == tone]
        axes.plot(
            [dot.at for dot in found],
            [places[dot.row] for dot in found],
            marker=marker,
            markersize=7,
            linestyle="",
            color=TONES[tone],
        )


def _rows(axes: Axes, names: Sequence[str]) -> dict[str, int]:
    """Give each name a row, the first on top."""
    places = {name: place for place, name in enumerate(dict.fromkeys(names))}
    axes.set_yticks(list(places.values()), labels=list(places))
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(max(1, len(places)) - 0.4, -0.6)
    return places


def _shade(axes: Axes, outages: Sequence[tuple[float, float]], found: Sequence[Fault]) -> None:
    for began, ended in outages:
        axes.axvspan(began, ended, color=OUTAGE, alpha=0.22, linewidth=0, zorder=0)
    for fault in found:
        axes.axvspan(fault.began, fault.ended, color=SHADE, alpha=0.16, linewidth=0, zorder=0)
        axes.axvline(fault.began, color=SHADE, linewidth=0.8, alpha=0.7, zorder=0)


def _number(axes: Axes, found: Sequence[Fault]) -> None:
    """Write the steps' numbers below the upper edge of the first picture, on as many lines as they need."""
    for fault in found:
        axes.annotate(
            str(fault.number),
            (fault.began, 0.97 - LABEL_LINE * fault.lane),
            xycoords=("data", "axes fraction"),
            xytext=(2, 0),
            textcoords="offset points",
            color=SHADE,
            fontsize=9,
            fontweight="bold",
            va="top",
        )


def _split(line: Line) -> tuple[list[float], list[float]]:
    return [at for at, _ in line], [float("nan") if value is None else value for _, value in line]


def _element(picture: Any) -> str:
    text = StringIO()
    picture.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    for colour, instead in OF_THE_PAGE.items():
        svg = svg.replace(colour, instead)
    return svg
