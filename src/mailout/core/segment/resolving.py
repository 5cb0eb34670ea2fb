"""Rules that refer to other segments, with those put in their places."""

from __future__ import annotations

from mailout.core.errors import MailoutError
from mailout.core.segment.rule import And, Find, Not, Or, Other, Rule

_MOST = 300  # conditions of one rule: databases bound how long a statement may be
_DEEPEST = 12  # and how deep: SQLite reads no more than a hundred open brackets and words


def resolved(rule: Rule, find: Find, inside: tuple[str, ...] = ()) -> Rule:
    """The rule without references (each `Other` is the rule of that segment) and without brackets
    that say nothing.

    `inside` names the segments that are being resolved. Raises: MailoutError if they go in a
    circle, or the whole is too long or too deep to ask a database.
    """
    left = [_MOST]

    def walk(rule: Rule, inside: tuple[str, ...]) -> Rule:
        match rule:
            case Other(name):
                if name in inside:
                    raise MailoutError(
                        "segments go in a circle: " + " -> ".join((*inside, name)),
                        fix="Take one of the references out.",
                    )
                return walk(find(name), (*inside, name))
            case Not(part):
                found = walk(part, inside)
                return found.part if isinstance(found, Not) else Not(found)
            case And(parts):
                return And(_flat(And, [walk(part, inside) for part in parts]))
            case Or(parts):
                return Or(_flat(Or, [walk(part, inside) for part in parts]))
        left[0] -= 1
        if left[0] < 0:
            raise MailoutError(
                f"the rule has more than {_MOST} conditions, those of other segments counted",
                fix="Use `in (..)` for many values of one field, or give these people a tag.",
            )
        return rule

    found = walk(rule, inside)
    if _depth(found) > _DEEPEST:
        raise MailoutError(
            f"the rule has brackets more than {_DEEPEST} deep, those of other segments counted",
            fix="Give some of these people a tag, and ask for that.",
        )
    return found


def _flat(kind: type[And] | type[Or], parts: list[Rule]) -> tuple[Rule, ...]:
    """The parts, those of the same kind in them taken apart."""
    found: list[Rule] = []
    for part in parts:
        found.extend(part.parts if isinstance(part, kind) else (part,))
    return tuple(found)


def _depth(rule: Rule) -> int:
    match rule:
        case Not(part):
            return _depth(part)
        case And(parts) | Or(parts):
            return 1 + max(map(_depth, parts))
        case _:
            return 0
