"""What a command prints: results on standard output, all else on standard error, nothing without cleaning.

Whatever is printed passes through `redact` here, and only here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from rich.console import Console, RenderableType
from rich.text import Text

from emq_elb.faults import Failed, FaultsInFiles
from emq_elb.redact import printable, redacted, redacted_value

# A pipe has no width: lines are for `grep` and `awk`, so that none is broken.
UNBROKEN = 4096

View = Callable[[Any], RenderableType]
"""What people see of a JSON value."""


@dataclass
class Terminal:
    """What a command prints to, and what is typed; `known` are texts of private keys that were read."""

    out: Console
    err: Console
    typed: TextIO
    json: bool = False
    known: set[str] = field(default_factory=set)

    def show(self, view: View, value: Any) -> None:
        """Print a result: the value itself as JSON, or what people see of it."""
        if self.json:
            text = json.dumps(redacted_value(value, self.known), indent=2)
            self.out.file.write(f"{text}\n")
        else:
            self.out.print(view(cleaned(value, self.known)))

    def write(self, text: str) -> None:
        """Print a text as it is, but for private keys: a file that somebody will read again."""
        self.out.file.write(redacted(text, self.known))

    def say(self, text: str) -> None:
        """Print what goes on."""
        self.err.print(Text(printable(text, self.known)), soft_wrap=True)

    @property
    def interactive(self) -> bool:
        """Whether somebody sits before it who can be asked."""
        return self.typed.isatty() and not self.json

    def confirmed(self, question: str) -> bool:
        """Ask, and return whether the answer is yes."""
        self.err.print(Text(f"{printable(question, self.known)} [y/N] "), end="")
        return self.typed.readline().strip().lower() in {"y", "yes"}

    def complain(self, fault: Failed) -> None:
        """Print why something could not be done."""
        faults = fault.faults if isinstance(fault, FaultsInFiles) else ()
        for one in faults:
            self.say(str(one))
        message = Text.assemble(("emq-elb: ", "bold red"), printable(fault.message, self.known))
        self.err.print(message, soft_wrap=True)
        if fault.remedy:
            self.say(f"  {fault.remedy}")

    def fail(self, fault: Failed) -> None:
        """Print why a command could not be done at all; with `--json` the fault is its result, too."""
        self.complain(fault)
        faults = fault.faults if isinstance(fault, FaultsInFiles) else ()
        if self.json:
            shown: dict[str, Any] = {"message": fault.message, "remedy": fault.remedy, "status": fault.status}
            if fault.problem is not None:
                shown["problem"] = dict(fault.problem)
            if faults:
                shown["faults"] = [vars(one) for one in faults]
            self.show(str, {"fault": shown})


def cleaned(value: Any, known: Collection[str]) -> Any:
    """Return a JSON value of which every text can go to a terminal."""
    match value:
        case str():
            return printable(value, known)
        case dict():
            return {printable(str(key)): cleaned(one, known) for key, one in redacted_value(value).items()}
        case list():
            return [cleaned(one, known) for one in value]
        case _:
            return value


def console(file: TextIO, environment: Mapping[str, str]) -> Console:
    """Return a console on a stream: plain in a pipe and with NO_COLOR, which rich looks for itself."""
    wide = None if file.isatty() or environment.get("COLUMNS", "").isdigit() else UNBROKEN
    return Console(file=file, markup=False, highlight=False, emoji=False, width=wide, _environ=environment)


def standard(environment: Mapping[str, str]) -> Terminal:
    """Return the terminal that the command runs in."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a locale without the letters shows a question mark
    return Terminal(console(sys.stdout, environment), console(sys.stderr, environment), sys.stdin)
