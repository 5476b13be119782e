"""A host with hooks never opens without their conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netproxy.policy.imports.codex import read
from tests.support.other_tools import allowed, policies
from tests.support.policies import to

if TYPE_CHECKING:
    from netproxy.policy.imports.common import Entry

HOOK = """\
[permissions.dev.network.mitm.hooks.writes]
host = "api.github.com"
methods = ["POST", "put"]
path_prefixes = ["/repos/openai/"]
action = ["strip"]
"""


def with_hooks(domains: str, *hooks: str) -> str:
    return "\n".join(
        ["[permissions.dev.network]", "enabled = true", f"domains = {{ {domains} }}", *hooks]
    )


def entries(text: str) -> list[Entry]:
    found = read(text, "config.toml")
    assert not allowed(policies(found)["dev"], to("api.github.com:443"))
    assert not allowed(policies(found)["dev"], to("api.github.com:80"))
    return found.entries


def test_the_hook_stands_in_the_place_of_the_entry_that_names_its_host() -> None:
    named, hook = entries(with_hooks('"api.github.com" = "allow"', HOOK))
    assert (named.host, named.is_failed) == (None, False)
    assert (hook.host, hook.port, hook.name) == ("api.github.com", 443, "writes")
    assert str(hook.condition) == "POST,PUT /repos/openai/**"


@pytest.mark.parametrize("wide", ['"*.github.com" = "allow"', '"*" = "allow"'])
def test_a_wider_entry_must_not_open_it(wide: str) -> None:
    text = with_hooks(f'"api.github.com" = "allow", {wide}', HOOK, HOOK.replace("writes", "more"))
    *_, denied, left_out = entries(text)
    assert denied.host == "api.github.com"
    assert "a wider entry opens this host" in denied.notes[0]
    assert left_out.host is None
    assert allowed(policies(read(text, "x"))["dev"], to("www.github.com:443"))


def test_a_hook_for_a_host_that_nothing_opens_is_no_rule() -> None:
    (hook,) = entries(with_hooks("", HOOK))
    assert hook.host is None
    assert hook.notes == ("no entry opens its host here",)


def test_literal_headers_and_prefixes() -> None:
    more = '[permissions.dev.network.mitm.hooks.writes.headers]\nX-Team = ["literal:build"]\n'
    text = HOOK.replace("/repos/openai/", "literal:/repos") + more
    *_, hook = entries(with_hooks('"api.github.com" = "allow"', text))
    assert str(hook.condition) == "POST,PUT /repos,/repos/** x-team: build"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (HOOK.replace("/repos/openai/", "pattern:/repos/*"), "path patterns"),
        (HOOK.replace("/repos/openai/", "/re*pos"), "path patterns"),
        (HOOK + 'query = { q = ["x"] }\n', "query"),
        (HOOK + "body = { }\n", "body"),
        (HOOK + 'headers = { x = ["a", "b"] }\n', "header values"),
        (HOOK + 'headers = { x = ["pattern:a"] }\n', "header values"),
    ],
)
def test_what_no_condition_can_say_keeps_the_host_closed(text: str, what: str) -> None:
    *_, hook = entries(with_hooks('"api.github.com" = "allow"', text))
    assert (hook.host, hook.is_failed) == (None, True)
    assert what in hook.notes[-1]


def test_a_hook_whose_host_is_none_of_ours_is_counted() -> None:
    *_, hook = entries(with_hooks('"a.example" = "allow"', HOOK.replace("api.github.com", "a..b")))
    assert (hook.host, hook.is_failed) == (None, True)
