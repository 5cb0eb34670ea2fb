"""Templates: Jinja in a sandbox, fed with plain values only.

An author's mistake names the template and line, and so does a template that would not end.
Templates come as a mapping of name to source, so nothing here reads a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from gettext import NullTranslations
from types import CodeType
from typing import Any

from jinja2 import BytecodeCache, DictLoader, StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2 import TemplateNotFound as JinjaTemplateNotFound
from jinja2.bccache import Bucket
from jinja2.exceptions import SecurityError

from mailout.core import plain
from mailout.core.bounds import LARGEST, BoundedEnvironment
from mailout.core.errors import BadFile, nearest, place

_MOST_KEPT = 500


class _Kept(BytecodeCache):
    """Templates as compiled, by name and source: one serves every language, and every `Templates`.

    What a template is compiled to depends on nothing else, since all are compiled with the same
    settings; catalogue and steps belong to the environment in which it then runs.
    """

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is None:
            return
        if len(self._codes) >= _MOST_KEPT:  # templates that are edited and previewed all day
            self._codes.clear()
        self._codes[bucket.key, bucket.checksum] = bucket.code


_KEPT = _Kept()


class Templates:
    """The site's templates for one language's catalogue."""

    def __init__(self, sources: Mapping[str, str], words: NullTranslations) -> None:
        self.sources = sources
        self.environment = BoundedEnvironment(
            loader=DictLoader(dict(sources)),
            autoescape=lambda name: bool(name) and ".html" in str(name),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            extensions=["jinja2.ext.i18n"],
            bytecode_cache=_KEPT,
        )
        install: Any = self.environment
        install.install_gettext_translations(words, newstyle=True)
        self.environment.globals["wrap"] = plain.wrap
        self.environment.filters["underline"] = plain.underline

    def render(self, name: str, context: Mapping[str, object]) -> str:
        """The template's output.

        Raises: BadFile naming template, line and what is wrong.
        """
        if name not in self.sources:
            raise BadFile(f"there is no template `{name}`", fix=nearest(name, self.sources))
        try:
            self.environment.begin()
            return "".join(self._pieces(name, context))
        except TemplateSyntaxError as error:
            raise BadFile(
                error.message or "unreadable template",
                where=place(f"templates/{error.name or name}", error.lineno),
            ) from None
        except JinjaTemplateNotFound as error:
            raise BadFile(
                f"there is no template `{error.name}`",
                where=f"templates/{name}",
                fix=nearest(str(error.name), self.sources),
            ) from None
        except SecurityError as error:
            raise BadFile(str(error), where=_where(error, name)) from None
        except TemplateError as error:
            raise BadFile(
                error.message or "the template failed", where=_where(error, name)
            ) from None
        except MemoryError as error:
            raise BadFile("the template needs too much memory", where=_where(error, name)) from None
        except (TypeError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
            raise BadFile(f"the template failed: {error}", where=_where(error, name)) from None

    def _pieces(self, name: str, context: Mapping[str, object]) -> Iterator[str]:
        """The output, piece by piece, so that one without end is stopped."""
        size = 0
        for piece in self.environment.get_template(name).generate(context):
            size += len(piece)
            if size > LARGEST:
                raise SecurityError(f"the template prints more than {LARGEST:,} characters")
            yield piece


def _where(error: BaseException, name: str) -> str:
    """The innermost template line of the traceback: Jinja maps its frames to template lines."""
    found = place(f"templates/{name}")
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if "__jinja_template__" in trace.tb_frame.f_globals or code.co_filename == "<template>":
            source = trace.tb_frame.f_globals.get("name", name)
            found = place(f"templates/{source}", trace.tb_lineno)
        trace = trace.tb_next
    return found
