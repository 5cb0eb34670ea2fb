"""A template that tries to get out of its sandbox gets an error, and nothing of ours."""

from __future__ import annotations

from gettext import NullTranslations

import pytest

from mailout.core.errors import BadFile
from mailout.core.render import Templates

ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ list['name']['__class__'] }}",
    "{{ list.name | attr('__class__') }}",
    "{{ cycler.__init__.__globals__.os.environ }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ '{0.__class__.__init__.__globals__}'.format(list) }}",
    "{{ '{0[name].__class__}'.format_map({'0': list}) }}",
    "{{ wrap.__globals__ }}",
    "{{ gettext.__self__ }}",
    "{{ list.model_dump() }}",
    "{{ list.metadata.tables }}",
    "{% include '/etc/passwd' %}",
    "{% include '../keys.toml' %}",
    "{% import 'keys.toml' as keys %}",
    "{% extends 'https://evil.example/x' %}",
    "{% set x = list.update({'name': 'other'}) %}",
    "{% set x = list.pop('name') %}",
]


@pytest.mark.parametrize("source", ESCAPES)
def test_nothing_gets_out(source: str) -> None:
    templates = Templates({"letter.html.j2": source}, NullTranslations())
    held = {"name": "Harbour Bulletin"}
    try:
        said = templates.render("letter.html.j2", {"list": held})
    except BadFile as error:
        said = str(error)
        assert "templates/letter.html.j2" in said
    for secret in ("<class", "environ", "root:", "subclasses__(", "PATH", "built-in", "{'"):
        assert secret not in said.replace(source, "")
    assert held == {"name": "Harbour Bulletin"}


@pytest.mark.parametrize("value", ["{{ 7 * 7 }}", "{% for x in range(9) %}x{% endfor %}", "{# #}"])
def test_what_a_person_typed_is_no_template(value: str) -> None:
    templates = Templates({"page.html.j2": "{{ name }}"}, NullTranslations())
    assert templates.render("page.html.j2", {"name": value}) == value.replace("'", "&#39;")
