"""Bounds: a sandbox in which no template can loop, or take memory, without end.

Steps are counted instead of seconds, so that the same template ends in the same place on every
machine. A step is a turn of a loop or a call; a value is what an operation leaves behind.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import wraps
from typing import Any, TypeVar

from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

STEPS = 300_000
"""Turns of loops and calls in one rendering; a bulletin of ten posts takes some hundreds."""

LARGEST = 10_000_000
"""Characters or items of one value, and characters of the whole output."""

_LARGEST_NUMBER = 100_000
_WIDE = re.compile(r"%[^a-zA-Z%]*\d{6,}")
_WIDE_FIELD = re.compile(r":[^{}]*\d{6,}")
_T = TypeVar("_T")
_COUNTED, _SMALL, _HELD = "mailout_counted", "mailout_small", "mailout_held"


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with bounds. What breaks one raises SecurityError."""

    intercepted_binops = frozenset(["*", "**", "+", "%"])

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._taken = threading.local()  # pages are rendered by several threads
        self.filters |= {_COUNTED: self._counted, _SMALL: _small, _HELD: held}
        for name, size in _SIZES.items():
            self.filters[name] = _measured(self.filters[name], size)

    def begin(self) -> None:
        """Nothing, once the steps of this thread are counted from the start."""
        self._taken.steps = 0

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        bounded = _Bounding().visit(tree)
        assert isinstance(bounded, nodes.Template)  # noqa: S101 - the root is not replaced
        return bounded

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        __self._step()
        for value in (*args, *kwargs.values()):
            _small(value)
        method = getattr(__obj, "__wrapped__", __obj)  # the sandbox wraps `format`
        text, name = getattr(method, "__self__", None), getattr(method, "__name__", "")
        if isinstance(text, str) and name in _METHODS:
            _refuse_above(_METHODS[name](text, *args))
        return held(super().call(__context, __obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "*":
            for value, times in ((left, right), (right, left)):
                if hasattr(value, "__len__") and isinstance(times, int):
                    _refuse_above(len(value) * times)
        elif operator == "**" and not (abs(left) <= 1000 and abs(right) <= 100):
            raise SecurityError("a power of numbers as large as these")
        elif operator == "%" and isinstance(left, str) and _WIDE.search(left):
            raise SecurityError("a format as wide as this")
        return held(super().call_binop(context, operator, left, right))

    def _counted(self, values: Iterable[_T]) -> Iterable[_T]:
        """The same values, each a step."""
        # An empty loop has an `else` branch, and an undefined name must complain at once.
        return _Steps(self._step, values)

    def _step(self) -> None:
        taken = self._taken.steps = getattr(self._taken, "steps", 0) + 1
        if taken > STEPS:
            raise SecurityError(f"the template does not end: more than {STEPS:,} steps")


class _Steps(Iterable[_T]):
    """An iterable whose every value is a step; it has a length if the values have one."""

    def __init__(self, step: Any, values: Iterable[_T]) -> None:
        self._step, self._values, self._iterator = step, values, iter(values)

    def __iter__(self) -> Iterator[_T]:
        for value in self._iterator:
            self._step()
            yield value

    def __len__(self) -> int:
        return len(self._values)  # type: ignore[arg-type]  # as the values have it


class _Bounding(NodeTransformer):
    """Puts the filters above around what loops, joins and filters do."""

    def visit_For(self, node: nodes.For) -> nodes.For:
        self.generic_visit(node)
        node.iter = _filtered(node.iter, _COUNTED)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Expr:
        self.generic_visit(node)
        return _filtered(node, _HELD)

    def visit_Filter(self, node: nodes.Filter) -> nodes.Expr:
        self.generic_visit(node)
        node.args = [_filtered(argument, _SMALL) for argument in node.args]
        for keyword in node.kwargs:
            keyword.value = _filtered(keyword.value, _SMALL)
        # A block's filter has no value of its own to be put around.
        return node if node.node is None else _filtered(node, _HELD)


def _size_of_join(items: Any, between: object = "", attribute: object = None) -> int:
    if not hasattr(items, "__len__"):
        return 0  # a generator of our own filters, which count their steps
    longest = max((len(str(item)) for item in items), default=0)
    return len(items) * (longest + len(str(between)))


def _size_of_replace(text: Any, old: object = "", new: object = "", *_: object) -> int:
    text, old = str(text), str(old)
    return len(text) + (text.count(old) if old else len(text) + 1) * len(str(new))


def _size_of_indent(text: Any, width: object = 4, *_: object, **__: object) -> int:
    each = width if isinstance(width, int) else len(str(width))
    return len(str(text)) + (str(text).count("\n") + 1) * each


def _size_of_format(text: Any, *_: object, **__: object) -> int:
    if _WIDE.search(str(text)) or _WIDE_FIELD.search(str(text)):
        raise SecurityError("a format as wide as this")
    return 0


def _size_of_tabs(text: str, width: int = 8) -> int:
    return len(text) + text.count("\t") * width


# What each leaves behind, at most: known before it is made.
_SIZES: Mapping[str, Callable[..., int]] = {
    "replace": _size_of_replace,
    "join": _size_of_join,
    "indent": _size_of_indent,
    "format": _size_of_format,
}
_METHODS: Mapping[str, Callable[..., int]] = {
    "replace": _size_of_replace,
    "join": lambda text, items, *_: _size_of_join(items, text),
    "format": _size_of_format,
    "format_map": _size_of_format,
    "expandtabs": _size_of_tabs,
}


def _measured(filter_: Callable[..., Any], size: Callable[..., int]) -> Callable[..., Any]:
    """The filter, which refuses what would leave too much behind."""
    takes_context = hasattr(filter_, "jinja_pass_arg")

    @wraps(filter_)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        values = args[1:] if takes_context else args
        with suppress(TypeError):  # the filter itself says better what is missing
            _refuse_above(size(*values, **kwargs))
        return filter_(*args, **kwargs)

    return bounded


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    found = nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)
    if node.environment:
        found.set_environment(node.environment)
    return found


def _small(value: _T) -> _T:
    """The value. Raises: SecurityError for a number that makes a filter allocate without need."""
    if isinstance(value, int) and abs(value) > _LARGEST_NUMBER:
        raise SecurityError(f"a number larger than {_LARGEST_NUMBER:,}")
    return value


def held(value: _T) -> _T:
    """The value. Raises: SecurityError if it is too large to be part of a mail."""
    if isinstance(value, (str, list, tuple, dict)):
        _refuse_above(len(value))
    return value


def _refuse_above(size: int) -> None:
    if size > LARGEST:
        raise SecurityError(f"the template makes a value of more than {LARGEST:,} characters")
