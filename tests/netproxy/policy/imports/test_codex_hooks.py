"""A host with hooks never opens without their conditions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        (HOOK.replace("/repos/openai/", "pattern:/repos/x"), "the pattern 'pattern:/repos/x'"),
        (HOOK.replace("/repos/openai/", "/re*pos"), "the pattern '/re*pos'"),
        (HOOK.replace("/repos/openai/", "/a/../b"), "has a . or .. segment"),
        (HOOK.replace("/repos/openai/", "repos"), "is not a path"),
        (HOOK.replace('["/repos/openai/"]', "[]"), "without methods or path_prefixes"),
        (HOOK.replace('["POST", "put"]', "[]"), "without methods or path_prefixes"),
        (HOOK.replace('"put"', '"p t"'), "is not a method"),
        (HOOK + 'query = { q = ["x"] }\n', "query"),
        (HOOK + "body = { }\n", "body"),
        (HOOK + 'headers = { x = ["a", "b"] }\n', "one of several header values"),
        (HOOK + 'headers = { x = ["pattern:a"] }\n', "the pattern 'pattern:a'"),
        (HOOK + 'headers = { X-A = ["a"], x-a = ["a"] }\n', "'x-a' stands here twice"),
        (HOOK + 'headers = { Cookie = ["a"] }\n', "cookie holds a secret"),
    ],
)
def test_what_no_condition_can_say_keeps_the_host_closed(text: str, what: str) -> None:
    *_, hook = entries(with_hooks('"api.github.com" = "allow"', text))
    assert (hook.host, hook.is_failed) == (None, True)
    assert what in hook.notes[-1]


def test_a_hook_whose_host_is_none_of_ours_is_counted() -> None:
    *_, hook = entries(with_hooks('"a.example" = "allow"', HOOK.replace("api.github.com", "a..b")))
    assert (hook.host, hook.is_failed) == (None, True)


@given(
    methods=st.lists(st.sampled_from(["GET", "post", "P T", ""]) | st.text(), max_size=2),
    paths=st.lists(st.sampled_from(["/", "/a", "/a/", "//", "/%2f"]) | st.text(), max_size=2),
    headers=st.dictionaries(st.sampled_from(["x", "X", "a b"]) | st.text(), st.text(), max_size=2),
)
def test_whatever_a_hook_holds_our_loader_takes_what_is_written(
    methods: list[str], paths: list[str], headers: dict[str, str]
) -> None:
    def quoted(text: str) -> str:
        return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

    text = with_hooks(
        '"api.github.com" = "allow"',
        "[permissions.dev.network.mitm.hooks.writes]",
        'host = "api.github.com"',
        f"methods = [{', '.join(map(quoted, methods))}]",
        f"path_prefixes = [{', '.join(map(quoted, paths))}]",
        "[permissions.dev.network.mitm.hooks.writes.headers]",
        *(f"{quoted(name)} = [{quoted(value)}]" for name, value in headers.items()),
    )
    entries(text)
