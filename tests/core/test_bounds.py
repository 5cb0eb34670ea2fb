"""Templates that loop or allocate without end are stopped, and named."""

from __future__ import annotations

from gettext import NullTranslations

import pytest

from mailout.core.errors import BadFile
from mailout.core.render import Templates

LOOP = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}"
DOUBLING = (
    "{% set ns = namespace(x='ab') %}{% for i in range(60) %}"
    "{% set ns.x = ns.x ~ ns.x %}{% endfor %}"
)
RECURSION = (
    "{% macro m(n) %}{% if n %}{% set a = m(n - 1) %}{% set b = m(n - 1) %}{% endif %}{% endmacro %}"
    "{% set x = m(40) %}"
)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (LOOP, "the template does not end: more than 300,000 steps"),
        (RECURSION, "the template does not end"),
        (DOUBLING, "a value of more than 10,000,000 characters"),
        ("{{ 'a' * 10 ** 9 }}", "a power of numbers|a value of more than"),
        ("{{ 'a' * 1000000000 }}", "a value of more than"),
        ("{{ [0] * 1000000000 }}", "a value of more than"),
        ("{{ 1000000000 * 'a' }}", "a value of more than"),
        ("{{ 9 ** 9999 }}", "a power of numbers"),
        ("{{ 'a' | center(1000000000) }}", "a number larger than 100,000"),
        ("{{ 'a' | indent(width=1000000000) }}", "a number larger than 100,000"),
        ("{{ 'a'.ljust(1000000000) }}", "a number larger than 100,000"),
        ("{{ '%0999999999d' % 1 }}", "a format as wide as this"),
        ("{% for i in range(99999) %}{{ 'x' * 1000 }}{% endfor %}", "prints more than 10,000,000"),
        ("{{ '{:>1500000000}'.format(1) | length }}", "a format as wide as this"),
        ("{{ '%0999999999d' | format(1) }}", "a format as wide as this"),
        ("{{ ('a' * 9000).replace('a', 'b' * 9000) }}", "a value of more than"),
        ("{{ ('a' * 9000) | replace('a', 'b' * 9000) }}", "a value of more than"),
        (r"{{ ('a\n' * 9000) | indent(9000) }}", "a value of more than"),
        ("{{ range(9999) | list | join('x' * 9000) }}", "a value of more than"),
        ("{{ ('x' * 9000).join(range(9999) | map('string') | list) }}", "a value of more than"),
        ("{{ ('\t' * 9000).expandtabs(9000) }}", "a value of more than"),
        ("{{ range(10 ** 7) | list }}", "Range too big|a number larger"),
    ],
)
def test_what_would_not_end(source: str, says: str) -> None:
    templates = Templates({"own.html.j2": f"\n{source}"}, NullTranslations())
    with pytest.raises(BadFile, match=says) as caught:
        templates.render("own.html.j2", {})
    # The output as a whole is stopped outside of any line.
    assert caught.value.where.startswith(
        "templates/own.html.j2" + ("" if "prints" in says else ":2")
    )


def test_loops_keep_all_that_they_can() -> None:
    source = (
        "{% for i in things %}{{ loop.index }}/{{ loop.length }}{{ i }}{{ ',' if not loop.last }}"
        "{% else %}none{% endfor %}"
    )
    templates = Templates({"x.txt.j2": source}, NullTranslations())
    assert templates.render("x.txt.j2", {"things": ["a", "b"]}) == "1/2a,2/2b"
    assert templates.render("x.txt.j2", {"things": []}) == "none"
    assert templates.render("x.txt.j2", {"things": iter("ab")}) == "1/2a,2/2b"


def test_steps_are_counted_for_each_rendering_anew() -> None:
    templates = Templates(
        {"x.txt.j2": "{% for i in range(99999) %}{% endfor %}"}, NullTranslations()
    )
    for _ in range(12):
        templates.render("x.txt.j2", {})


def test_filters_do_what_they_did() -> None:
    source = (
        "{{ 'a-b' | replace('-', '+') }} {{ [1, 2] | join(', ') }} {{ 'a\nb' | indent(2) }}"
        "{{ '%s!' | format('x') }} {{ '{}?'.format('y') }} {{ ', '.join(['p', 'q']) }}"
        " {{ things | join(', ', attribute='n') }}"
    )
    templates = Templates({"x.txt.j2": source}, NullTranslations())
    printed = templates.render("x.txt.j2", {"things": [{"n": 1}, {"n": 2}]})
    assert printed == "a+b 1, 2 a\n  bx! y? p, q 1, 2"


def test_undefined_names_complain_as_before() -> None:
    templates = Templates({"x.txt.j2": "{% for i in nothing %}{% endfor %}"}, NullTranslations())
    with pytest.raises(BadFile, match="'nothing' is undefined"):
        templates.render("x.txt.j2", {})


def test_what_is_compiled_once_serves_each_language_and_keeps_nothing_of_it() -> None:
    class Words(NullTranslations):
        def gettext(self, message: str) -> str:
            return f"<{message}>"

    source = {"own.txt.j2": "{{ _('hello') }}{% for a in range(9999) %}{% endfor %}{{ name }}"}
    plain, other = Templates(source, NullTranslations()), Templates(dict(source), Words())
    for _ in range(40):  # the steps of one are not counted for another
        assert plain.render("own.txt.j2", {"name": "Anna"}) == "helloAnna"
        assert other.render("own.txt.j2", {"name": "Bert"}) == "<hello>Bert"
    with pytest.raises(BadFile, match="'name' is undefined") as caught:
        Templates(source, Words()).render("own.txt.j2", {})
    assert caught.value.where == "templates/own.txt.j2:1"


def test_an_edited_template_is_not_the_one_that_was_compiled() -> None:
    for text in ("first", "second", "first"):
        templates = Templates({"own.txt.j2": text}, NullTranslations())
        assert templates.render("own.txt.j2", {}) == text
    # The same source is escaped or not by its name.
    for name, printed in (("own.html.j2", "&lt;b&gt;"), ("own.txt.j2", "<b>")):
        templates = Templates({name: "{{ '<b>' ~ end }}"}, NullTranslations())
        assert templates.render(name, {"end": ""}) == printed
