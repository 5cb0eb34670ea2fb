"""Segment rules: `tag = unions and language in (ru, kk) and not received(last 3 issues)`.

    rule       = part { "or" part }
    part       = test { "and" test }
    test       = "not" test | "(" rule ")" | "everyone" | "segment" NAME
               | history | comparison | "joined" "by" SOURCE
    history    = ( "received" | "bounced" | "replied" ) "(" issues ")"
    issues     = ISSUE | "last" "issue" | "last" NUMBER "issues" | "any" "issue"
    comparison = FIELD ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) VALUE
               | FIELD [ "not" ] "in" "(" VALUE { "," VALUE } ")"
               | FIELD [ "not" ] "contains" VALUE
               | FIELD "is" [ "not" ] "empty"

A VALUE is a word, or anything at all between double quotes; a date may be `today` or
`30 days ago`. Fields and what they hold are in `fields`, with those that a list declares.

`reading` makes a rule of a text, `writing` a text of a rule, `resolving` puts the rules of
other segments in; the store makes one query of it, and no text of a rule is part of that.
"""

from mailout.core.segment.fields import (
    FIELDS,
    KEYWORDS,
    OWN_KINDS,
    RESERVED,
    Field,
    Kind,
    Vocabulary,
    own_field,
)
from mailout.core.segment.reading import parse
from mailout.core.segment.resolving import resolved
from mailout.core.segment.rule import (
    And,
    Comparison,
    Everyone,
    Find,
    History,
    JoinedBy,
    Not,
    Or,
    Other,
    Rule,
)
from mailout.core.segment.tokens import BadRule
from mailout.core.segment.values import day
from mailout.core.segment.writing import in_words, written

__all__ = [
    "FIELDS",
    "KEYWORDS",
    "OWN_KINDS",
    "RESERVED",
    "And",
    "BadRule",
    "Comparison",
    "Everyone",
    "Field",
    "Find",
    "History",
    "JoinedBy",
    "Kind",
    "Not",
    "Or",
    "Other",
    "Rule",
    "Vocabulary",
    "day",
    "in_words",
    "own_field",
    "parse",
    "resolved",
    "written",
]
