"""How IAM decides: one identity-based policy, asked about one action on one resource.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

Policy = Mapping[str, Any]
Values = tuple[str, ...]

ARN_PARTS = 6


@dataclass(frozen=True)
class Question:
    """May this be done to this? `resource` is an ARN, or `*` for an action that takes none.

    `context` holds what the service supplies, by condition key in lower case: keys are case-insensitive.
    """

    action: str
    resource: str
    context: Mapping[str, Values] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """`allowed`, and the `Sid`s of the statements that made it so; none for what nobody allows."""

    allowed: bool
    statements: Values = ()


def decide(policy: Policy, question: Question) -> Decision:
    """Decide: an explicit Deny first, then any Allow, else no.

    ValueError for a policy that uses what this does not evaluate, rather than a guess.
    """
    effects: dict[Literal["Allow", "Deny"], list[str]] = {"Allow": [], "Deny": []}
    for statement in policy["Statement"]:
        if unknown := statement.keys() - {"Sid", "Effect", "Action", "Resource", "Condition"}:
            raise ValueError(f"no element {', '.join(sorted(unknown))} is evaluated here")
        if _matches(statement, question):
            effects[statement["Effect"]].append(statement.get("Sid", ""))
    if effects["Deny"]:
        return Decision(allowed=False, statements=tuple(effects["Deny"]))
    return Decision(allowed=bool(effects["Allow"]), statements=tuple(effects["Allow"]))


def _matches(statement: Mapping[str, Any], question: Question) -> bool:
    return (
        any(like(pattern.lower(), question.action.lower()) for pattern in several(statement["Action"]))
        and any(arn_like(pattern, question.resource) for pattern in several(statement["Resource"]))
        and all(
            _holds(operator, key, several(wanted), question.context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def several(value: str | Sequence[str]) -> Values:
    """One value or a list of them, as policies write it."""
    return (value,) if isinstance(value, str) else tuple(value)


def like(pattern: str, text: str) -> bool:
    """Whether the text is of the pattern, in which `*` stands for any characters and `?` for one."""
    return _compiled(pattern).fullmatch(text) is not None


def arn_like(pattern: str, arn: str) -> bool:
    """The same for ARNs, part by part: no `*` reaches beyond the colon of its part, but in the last one.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
    #Conditions_ARN; for the element Resource AWS is said to be looser, and the stricter reading is taken.
    """
    if "*" in {pattern, arn}:
        return pattern == "*"
    patterns, parts = pattern.split(":", ARN_PARTS - 1), arn.split(":", ARN_PARTS - 1)
    return len(patterns) == len(parts) and all(map(like, patterns, parts))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    if "${" in pattern:
        raise ValueError(f"no policy variable is evaluated here: {pattern}")
    parts = ({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.compile("".join(parts), re.DOTALL)


# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": str.__eq__,
    "StringEqualsIgnoreCase": lambda wanted, found: wanted.lower() == found.lower(),
    "StringLike": like,
    "ArnEquals": arn_like,
    "ArnLike": arn_like,
    "Bool": lambda wanted, found: wanted.lower() == found.lower(),
}


def _holds(operator: str, key: str, wanted: Values, context: Mapping[str, Values]) -> bool:
    found = context.get(key.lower(), ())
    if operator == "Null":
        return (not found) == (wanted == ("true",))
    quantifier, _, rest = operator.rpartition(":")
    name = rest.removesuffix("IfExists")
    negated = "Not" in name
    compare = _OPERATORS.get(name.replace("Not", "", 1) if negated else name)
    if compare is None:
        raise ValueError(f"no condition operator {operator} is evaluated here")
    if not found and rest.endswith("IfExists"):
        return True
    fitting = [any(compare(one, value) for one in wanted) != negated for value in found]
    match quantifier:
        case "ForAllValues":
            return all(fitting)
        case "ForAnyValue":
            return any(fitting)
        case "":
            # A key of several values needs a quantifier; AWS does not document what it does without one: no.
            return fitting[0] if len(fitting) == 1 else not fitting and negated
        case _:
            raise ValueError(f"no condition operator {operator} is evaluated here")


def keys_of(policy: Policy) -> Iterator[tuple[str, str]]:
    """Every condition key that a policy uses, each with every action that it stands beside."""
    for statement in policy["Statement"]:
        for keys in statement.get("Condition", {}).values():
            for key in keys:
                for action in several(statement["Action"]):
                    yield action, key
