"""Fills the templates. Every text that they print is made visible and then escaped, here.

Not in the templates, where one could be forgotten: Jinja hands each printed value to `finalize`
and, with autoescape on, escapes what comes back.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from approvals.times import rfc3339
from approvals.web import words
from otel import visible

if TYPE_CHECKING:
    from datetime import tzinfo

# Longer than any command line that a person reads; the kernel allows 128 KiB for one argument.
_TEXT_LIMIT = 4096


def render(name: str, zone: tzinfo | None, **values: object) -> str:
    """A page. `zone`: that times without JavaScript are told in; None: this host's."""
    return _environment(zone).get_template(name).render(values)


@cache
def _environment(zone: tzinfo | None) -> Environment:
    made = Environment(
        loader=PackageLoader("approvals.web"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals["words"] = words
    made.filters["moment"] = lambda seconds: _time(seconds, zone, "%H:%M")
    made.filters["day"] = lambda seconds: _time(seconds, zone, "%Y-%m-%d %H:%M")
    return made


def _finalize(value: Any) -> Any:
    if isinstance(value, Markup):
        return value
    return visible(value if isinstance(value, str) else str(value), limit=_TEXT_LIMIT)


def _time(seconds: float, zone: tzinfo | None, form: str) -> Markup:
    """A time for people, with one for the page's script, which knows where the reader is."""
    local = words.moment(seconds, zone)
    text = f"{local.strftime(form)} {local.strftime('%Z')}"
    return Markup('<time datetime="{}">{}</time>').format(rfc3339(seconds), visible(text))
