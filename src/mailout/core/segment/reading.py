"""Rules read from text: recursive descent, one method a line of the grammar."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from mailout.core.errors import nearest
from mailout.core.segment import values
from mailout.core.segment.fields import (
    HISTORY,
    KEYWORDS,
    WAYS,
    Field,
    Vocabulary,
    near_way,
)
from mailout.core.segment.rule import (
    And,
    Comparison,
    Everyone,
    History,
    JoinedBy,
    Not,
    Or,
    Other,
    Rule,
)
from mailout.core.segment.tokens import OTHER_QUOTES, BadRule, Token, control, tokens

_DEPTH = 50
_MOST_VALUES = 500  # of one `in`: databases bound what a statement may be given
_MOST_ISSUES = 1000
_OPERATORS = "one of `=`, `!=`, `<`, `<=`, `>`, `>=`, `is empty` or `in`"
_ANY = Vocabulary()
_FOREIGN = {
    "==": "=", "<>": "!=", "=<": "<=", "=>": ">=", "!": "not",
    "&&": "and", "&": "and", "||": "or", "|": "or",
}  # fmt: skip
"""What other languages write, and what is written here."""


def parse(text: str, where: str = "", vocabulary: Vocabulary = _ANY) -> Rule:
    """The rule that `text` says about what `vocabulary` names.

    Raises: BadRule with a caret under the place and the nearest known name.
    """
    return _Parser(text, where, vocabulary).whole()


class _Parser:
    def __init__(self, text: str, where: str, vocabulary: Vocabulary) -> None:
        self.text = text
        self.where = where
        self.vocabulary = vocabulary
        self.tokens = list(tokens(text))
        self.next = 0
        self.depth = 0

    def whole(self) -> Rule:
        rule = self._rule()
        if self._peek().kind != "end":
            self._refuse("`and`, `or` or the end was expected here")
        return rule

    def _rule(self) -> Rule:
        return self._joined("or", self._part, Or)

    def _part(self) -> Rule:
        return self._joined("and", self._test, And)

    def _joined(
        self, word: str, read: Callable[[], Rule], join: Callable[[tuple[Rule, ...]], Rule]
    ) -> Rule:
        parts = [read()]
        while self._took(word):
            parts.append(read())
        return parts[0] if len(parts) == 1 else join(tuple(parts))

    def _test(self) -> Rule:
        self.depth += 1
        if self.depth > _DEPTH:
            self._refuse(f"more than {_DEPTH} brackets inside one another")
        rule = self._test_here()
        self.depth -= 1
        return rule

    def _test_here(self) -> Rule:
        if self._took("not"):
            return Not(self._test())
        if self._peek().is_punct("("):
            self.next += 1
            rule = self._rule()
            self._expect(")")
            return rule
        if self._took("everyone"):
            return Everyone()
        if self._took("segment"):
            return self._other()
        for what in HISTORY:
            if self._took(what):
                return self._history(what)
        return self._comparison()

    def _other(self) -> Rule:
        """`segment unions`, the first word being read."""
        token = self._peek()
        name, known = self._value("the name of a segment"), self.vocabulary.segments
        if known is not None and name not in known:
            self._refuse(f"there is no segment `{name}`", nearest(name, known), at=token)
        return Other(name)

    def _history(self, what: str) -> Rule:
        """`received(last 3 issues)`, the word being read."""
        self._expect("(")
        start = self._peek()
        rule = History(what, issue="")
        if self._took("any"):
            self._expect_word("issue")
        elif self._took("last") and self._took("issue"):
            rule = History(what, last=1)
        elif self.tokens[self.next - 1].is_word("last"):
            rule = History(what, last=self._number())
            if not self._took("issue"):
                self._expect_word("issues")
        else:
            rule = History(what, issue=self._value("an issue, `last 3 issues` or `any issue`"))
            if not rule.issue:
                self._refuse("an issue has a name", at=start)
        if (token := self._peek()).is_punct(","):
            either = f"Write `{what}(one) or {what}(other)`."
            self._refuse("only one issue, or the last ones, stand here", either, at=token)
        self._expect(")")
        return rule

    def _number(self) -> int:
        token = self._peek()
        if token.kind != "word" or not token.text.isascii() or not token.text.isdigit():
            self._refuse("a number of issues was expected here", "Write it as `last 3 issues`.")
        if len(token.text) > 4 or not 1 <= int(token.text) <= _MOST_ISSUES:
            self._refuse(f"so many issues can be asked for: from 1 to {_MOST_ISSUES}")
        self.next += 1
        return int(token.text)

    def _comparison(self) -> Rule:
        token = self._peek()
        name = token.text.lower()
        field = self.vocabulary.field(name) if token.kind == "word" else None
        if field is None:
            if token.kind == "end":
                self._refuse("the rule ends here, where a field was expected")
            if token.kind == "word" and token.text in (self.vocabulary.segments or ()):
                self._refuse(f"`{token.text}` is a segment", f"Write `segment {token.text}`.")
            self._refuse(f"`{token.text}` is no field", nearest(name, self.vocabulary.names))
        self.next += 1
        if name == "joined" and self._took("by"):
            return self._joined_by()
        if self._took("is"):
            return self._emptiness(name, field)
        if self._took("not"):
            if self._peek().is_word("contains"):
                return Not(self._containing(name, field))
            if self._peek().text == "=":
                self._refuse("`in` was expected here", f"Write `{name} != ..`.")
            return Not(self._membership(name, field))
        if self._peek().is_word("in"):
            return self._membership(name, field)
        if self._peek().is_word("contains"):
            return self._containing(name, field)
        operator = self._peek()
        if operator.kind != "op":
            self._refuse(f"{_OPERATORS} was expected here")
        if operator.text not in ("=", "!=") and not field.kind.is_ordered:
            self._refuse(f"`{name}` has no order; use `=`, `!=` or `in`")
        self.next += 1
        value = self._checked(field)
        if operator.text == "!=":
            return Not(self._compared(name, "=", value))
        return self._compared(name, operator.text, value)

    def _compared(self, name: str, op: str, *found: str) -> Comparison:
        own = self.vocabulary.fields.get(name)
        field = self.vocabulary.field(name)
        if op != "contains" and field is not None and field.kind.is_text:
            found = tuple(value.strip() for value in found)  # as names and texts are kept
        return Comparison(name, op, found, own.kind if own else None)

    def _joined_by(self) -> Rule:
        token = self._peek()
        source = self._value("a way such as `import`, `hand` or `form`")
        if not source.strip():
            self._refuse("a way such as `import` has a name", at=token)
        # A source is any text: of a slip nobody would be told, and with `not` it is everybody.
        if token.kind == "word" and (meant := near_way(source)):
            self._refuse(
                f"`{source}` is not one of the ways {', '.join(WAYS)}",
                f"Did you mean `{meant}`? Put it in quotes if a source is really called so.",
                at=token,
            )
        return JoinedBy(source)

    def _emptiness(self, name: str, field: Field) -> Rule:
        negated = self._took("not")
        if field.kind.is_never_empty:
            self._refuse(f"`{name}` is never empty", at=self.tokens[self.next - 2 - negated])
        if not self._took("empty"):
            other = "not in" if negated else "in"
            equals = "!=" if negated else "="
            self._refuse(
                "`empty` was expected here",
                f"Compare with values by `{name} {equals} ..` or `{name} {other} (..)`.",
            )
        rule = self._compared(name, "empty")
        return Not(rule) if negated else rule

    def _containing(self, name: str, field: Field) -> Rule:
        if not field.kind.is_text:
            self._refuse(f"`{name}` is no text; use `=`, `!=` or `in`")
        self.next += 1
        return self._compared(name, "contains", self._checked(field))

    def _membership(self, name: str, field: Field) -> Rule:
        self._expect_word("in")
        self._expect("(")
        found = [self._checked(field)]
        while self._peek().is_punct(","):
            self.next += 1
            if len(found) == _MOST_VALUES:
                self._refuse(f"more than {_MOST_VALUES} values in one bracket", "Give them a tag.")
            found.append(self._checked(field))
        self._expect(")")
        return self._compared(name, "in", *found)

    def _checked(self, field: Field) -> str:
        """The next value, in the spelling that is stored; refused if the field cannot hold it."""
        token = self._peek()
        typed = self._ago() if field.kind.is_day else ""
        typed = typed or self._value(field.takes)
        try:
            return values.stored(field, typed, self.vocabulary.lists)
        except values.BadValue as wrong:
            what, fix = wrong.args
            self._refuse(what, fix, at=token)  # points at the value, not behind it

    def _ago(self) -> str:
        """The three words of `30 days ago`, read; empty if they do not stand here."""
        number, unit, ago = (self.tokens + [self.tokens[-1]] * 3)[self.next : self.next + 3]
        if not (ago.is_word("ago") and number.kind == "word" and unit.kind == "word"):
            return ""
        one = unit.text.lower().removesuffix("s")
        if one not in values.UNITS:
            known = [f"{name}s" for name in values.UNITS]
            self._refuse(f"`{unit.text}` is no span of time", nearest(one, known), at=unit)
        if not (number.text.isascii() and number.text.isdigit() and len(number.text) < 5):
            self._refuse(f"`{number.text}` is not a number of {one}s", at=number)
        self.next += 3
        count = int(number.text)
        return f"{count} {one}{'' if count == 1 else 's'} ago"

    def _value(self, expected: str) -> str:
        token = self._peek()
        if token.kind not in ("word", "quoted") or (
            token.kind == "word" and token.text.lower() in KEYWORDS
        ):
            self._refuse(f"{expected} was expected here")
        if token.kind == "word" and token.text[0] in OTHER_QUOTES:
            # Taken as a part of the value, it would be nobody's.
            inner = self.text[token.at + 1 :].partition(token.text[0])[0]
            ends = [at for at, letter in enumerate(inner) if letter in OTHER_QUOTES]
            inner = inner[: ends[0]] if ends else inner
            self._refuse("values stand between other quotes", f'Write `"{inner.strip()}"`.')
        if control(token.text):
            self._refuse("a control character stands here")
        self.next += 1
        return token.text

    def _expect(self, sign: str) -> None:
        if not self._peek().is_punct(sign):
            self._refuse(f"`{sign}` was expected here")
        self.next += 1

    def _expect_word(self, word: str) -> None:
        if not self._took(word):
            self._refuse(f"`{word}` was expected here")

    def _took(self, word: str) -> bool:
        """Whether that word stood here; it is read then."""
        found = self._peek().is_word(word)
        self.next += found
        return found

    def _peek(self) -> Token:
        return self.tokens[self.next]

    def _refuse(self, why: str, fix: str = "", at: Token | None = None) -> NoReturn:
        token = at or self._peek()
        if token.kind == "bad" and token.text == '"':
            why, fix = "this quote is never closed", 'Write another `"` behind the value.'
        elif at is None or token.kind == "foreign":
            why, fix = self._foreign(token) or (why, fix)
        place = token.at
        raise BadRule(why, text=self.text, at=place, where=self.where, fix=fix)

    def _foreign(self, token: Token) -> tuple[str, str] | None:
        """What is wrong and what to write, where something stands as in other languages."""
        none = Token("end", "", -1)
        around = [none, none, *self.tokens, none]
        operator, before, _, after = around[self.next : self.next + 4]
        if token.text == "!" and before.kind == "word" and before.at + len(before.text) == token.at:
            return "`!` stands in no word", f'Write `"{before.text}!"`.'
        if token.kind in ("foreign", "word") and (meant := _FOREIGN.get(token.text)):
            return f"`{token.text}` is no sign of this language", f"Write `{meant}`."
        if not token.is_punct(",") or operator.kind != "op":
            return None
        whole = f"{before.text}.{after.text}"
        if after.at == token.at + 1 and values.is_number(whole):
            return "a number has a point, no comma", f"Write `{whole}`."
        if brackets := {"=": "in", "!=": "not in"}.get(operator.text):
            return "several values need brackets", f"Write them as `{brackets} (one, other)`."
        return None
