"""smokescreen's lists come over with every difference said, and never allow more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.errors import InvalidSettings
from netproxy.policy.imports.smokescreen import read
from tests.support.other_lists import DESTINATIONS, lists
from tests.support.other_tools import allowed, policies, smokescreen_allows
from tests.support.policies import to

if TYPE_CHECKING:
    from netproxy.policy.imports.common import Imported

ACTIONS = "open, report, enforce"
SAMPLE = Path(__file__).with_name("files") / "smokescreen.yaml"


def imported(acl: dict[str, Any], **options: Any) -> Imported:
    """JSON is YAML: with its escapes no list can be misread on the way."""
    return read(json.dumps({"version": "v1", **acl}), "acl.yaml", **options)


def one(action: str = "enforce", **lists: Any) -> dict[str, Any]:
    return {"services": [{"name": "web", "action": action, **lists}]}


def test_the_sample_file() -> None:
    found = read(SAMPLE.read_text(), "acl.yaml")
    assert (found.kept, found.failed, found.default_profile) == (19, 1, "default")
    each = policies(found)
    assert allowed(each["payments"], to("api.bank.example:443"))
    assert allowed(each["payments"], to("packages.example:443"))
    assert not allowed(each["payments"], to("paste.example:443"))
    assert not allowed(each["payments"], to("10.0.0.7:443"))
    assert allowed(each["crawler"], to("anything.example:443"))
    assert not allowed(each["crawler"], to("x.evil.example:443"))
    assert not allowed(each["crawler"], to("127.0.0.1:443"))
    assert allowed(each["default"], to("default.example:80"))


@given(
    action=st.sampled_from(["open", "report", "enforce"]),
    own=lists,
    shared=lists,
    denied=lists,
)
def test_it_never_allows_more_than_theirs(
    action: str, own: list[str], shared: list[str], denied: list[str]
) -> None:
    acl = {
        **one(action, allowed_domains=own),
        "global_allow_list": shared,
        "global_deny_list": denied,
    }
    policy = policies(imported(acl))["web"]
    more = [asked for asked in DESTINATIONS if allowed(policy, asked)]
    assert [asked for asked in more if not smokescreen_allows(acl, "web", asked)] == []


def test_one_service_is_chosen_as_theirs_does() -> None:
    text = SAMPLE.read_text()
    assert read(text, "acl.yaml", service="crawler").default_profile == "crawler"
    unknown = policies(read(text, "acl.yaml", service="nobody"))["nobody"]
    assert allowed(unknown, to("default.example:443"))
    with pytest.raises(InvalidSettings, match=r"there is no service 'wbe', did you mean web\?$"):
        imported(one(), service="wbe")


def test_without_a_default_nobody_is_chosen_between_several() -> None:
    two = {"services": [{"name": name, "action": "enforce"} for name in ("a", "b")]}
    assert imported(two).default_profile is None
    assert imported({"services": two["services"][:1]}).default_profile == "a"


def test_where_their_order_would_allow_is_said() -> None:
    acl = {
        **one(allowed_domains=["*.paste.example"]),
        "global_deny_list": ["a.paste.example", "b.example"],
    }
    denied = {entry.theirs: entry for entry in imported(acl).entries if not entry.port}
    assert "own '*.paste.example' comes first" in denied["a.paste.example"].notes[0]
    assert denied["b.example"].notes == ()


@pytest.mark.parametrize("theirs", ["", "a*.example", "*.*.example"])
def test_what_theirs_refuses_allows_nothing(theirs: str) -> None:
    found = imported(one(allowed_domains=[theirs]))
    entry = next(entry for entry in found.entries if entry.theirs == theirs)
    assert (entry.host, entry.is_failed) == (None, True)
    assert "theirs refuses a file with" in entry.notes[0]


def test_what_is_not_a_rule_is_said() -> None:
    acl = {
        **one(mitm_domains=[], allowed_external_proxies=[], colour="red", project="p"),
        "future": 1,
    }
    found = imported(acl)
    notes = " | ".join((*found.notes, *found.profiles[0].notes))
    for said in ("adds fields", "other proxies", "'colour': theirs ignores it", "'future'", "'p'"):
        assert said in notes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1 version: must be v1"),
        ("version: v2", "1 version: must be v1"),
        ("- a", "1 must be a table of keys and values"),
        ("version: v1", "1 services: there is no service and no default"),
        ("version: v1\nservices:\n- action: open", "3 services[0].name: is missing"),
        ('version: v1\nservices: [{name: "a\\n"}]', "2 services[0].name: 'a\\n' is not printable"),
        ("version: v1\nservices:\n- x", "3 services[0]: must be a table of keys and values"),
        ("version: v1\nservices: x", "2 services: must be a list"),
        (
            "version: v1\nservices:\n- name: a\n  action: enforced",
            f"4 services[0].action: 'enforced' is not one of {ACTIONS}, did you mean enforce?",
        ),
        (
            "version: v1\nservices:\n- {name: a, action: open}\n- {name: a, action: open}",
            "4 services[1].name: there are two services 'a'",
        ),
        (
            "version: v1\ndefault:\n  action: open\n  allowed_domains: [[x]]",
            "4 default.allowed_domains[0]: must be text",
        ),
    ],
)
def test_a_wrong_file_is_one_line(text: str, said: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        read(text, "acl.yaml")
    assert caught.value.problems == (f"acl.yaml:{said}",)
