"""Nothing gets onto a page unescaped or unseen, whatever the template forgot."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from approvals.web.rendering import _environment, render
from otel import visible
from tests.support.pages import Page

_ENVIRONMENT = _environment(UTC)


def filled(template: str, **values: object) -> str:
    return _ENVIRONMENT.from_string(template).render(values)


def test_text_is_made_visible_and_escaped() -> None:
    shown = filled("<b title='{{ it }}'>{{ it }}</b>", it="<script>\x1b[2J\u202e'\"")
    assert shown == (
        "<b title='&lt;script&gt;\\u001b[2J\\u202e&#39;&#34;'>"
        "&lt;script&gt;\\u001b[2J\\u202e&#39;&#34;</b>"
    )


@given(st.text())
def test_no_text_becomes_markup(text: str) -> None:
    page = Page(filled("<p>{{ it }}</p>", it=text))
    assert page.tags == {"p"}
    assert page.text == visible(text, limit=4096)


def test_a_long_text_is_cut_and_says_so() -> None:
    assert "[+" in filled("{{ it }}", it="x" * 10_000)
    assert len(filled("{{ it }}", it="x" * 10_000)) == 4096


def test_a_time_is_for_people_and_for_the_script() -> None:
    shown = filled("{{ 0|moment }} {{ 0|day }}")
    assert shown == (
        '<time datetime="1970-01-01T00:00:00.000Z">00:00 UTC</time> '
        '<time datetime="1970-01-01T00:00:00.000Z">1970-01-01 00:00 UTC</time>'
    )


def test_what_a_template_misspells_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        filled("{{ mistake }}")


def test_templates_are_found_where_they_are_installed() -> None:
    text = render("outcome.html", UTC, visitor=None, here="/", title="T", texts=("a",),
                  lines=())  # fmt: skip
    assert "<h1>T</h1>" in text
