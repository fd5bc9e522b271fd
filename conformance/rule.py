"""A rule: what we believe of AWS, what it takes to ask, and what of ours stands on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from inspect import getdoc
from typing import Any

from conformance.account import Account, Need

Ask = Callable[[Account], str | None]
"""Asks AWS. It raises DiffersError when AWS answers otherwise, and returns what is worth recording."""

RULES: dict[str, Rule] = {}
"""Every rule by its name, in the order of the modules in `conformance/rules`."""


@dataclass(frozen=True)
class Rule:
    """One fact and how to ask AWS about it.

    `needs` are the resources that it uses, `minutes` how long it takes beside making them. `corrections` are
    files of `lab/fidelity/` and `code` files of the program that stand on the fact. `left_out` says why the
    rule cannot run on moto; empty when it can. The answer to a question is recorded, not asserted.
    """

    name: str
    ask: Ask
    fact: str
    pages: tuple[str, ...]
    topic: str
    needs: tuple[Need[Any], ...]
    minutes: float
    dollars: float
    question: bool
    corrections: tuple[str, ...]
    code: tuple[str, ...]
    left_out: str


def rule(
    *needs: Need[Any],
    code: str | Iterable[str],
    corrects: str | Iterable[str] = (),
    minutes: float = 0.03,
    dollars: float = 0.0,
    left_out: str = "",
    question: bool = False,
) -> Callable[[Ask], Ask]:
    """Keep a function as a rule; its docstring is the fact and, on the lines below, its pages.

    `corrects` names modules of `lab/fidelity/`, `code` modules below `chalicelib/` or other files.
    """

    def keep(ask: Ask) -> Ask:
        lines = (getdoc(ask) or "").splitlines()
        pages = tuple(line for line in lines if line.startswith("https://"))
        name = ask.__name__
        if name in RULES:
            raise ValueError(f"two rules are named {name}")
        RULES[name] = Rule(
            name,
            ask,
            " ".join(line for line in lines if line and line not in pages),
            pages,
            ask.__module__.rpartition(".")[2],
            needs,
            minutes,
            dollars,
            question,
            _paths("lab/fidelity", corrects),
            _paths("chalicelib", code),
            left_out,
        )
        return ask

    return keep


question = partial(rule, question=True)
"""Keep a function as an open question: what it returns is recorded, and no answer is wrong."""


def _paths(folder: str, named: str | Iterable[str]) -> tuple[str, ...]:
    names = (named,) if isinstance(named, str) else tuple(named)
    return tuple(name if "." in name else f"{folder}/{name}.py" for name in names)
