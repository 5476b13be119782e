"""What is written is TOML that our loader takes, whatever stood in their file."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.model import Protocol, Verdict
from netproxy.policy.conditions import Condition
from netproxy.policy.imports.common import Entry, Imported, Profile
from netproxy.policy.imports.srt import read
from netproxy.policy.imports.writing import as_records, as_toml, summary
from netproxy.policy.rules import Effect
from netproxy.policy.spec import Mode
from tests.support.other_lists import lists
from tests.support.other_tools import policies

DENY = Entry(effect=Effect.DENY, theirs="evil.example", line=3, host="evil.example", reason="no")
HOOK = Entry(
    effect=Effect.ALLOW,
    theirs="api.example",
    line=4,
    host="api.example",
    port=443,
    condition=Condition(methods=("GET",), paths=("/v1/**",), headers=(("x-team", "build"),)),
    name="reads",
    notes=("a note",),
)
LEFT_OUT = Entry(
    effect=Effect.ALLOW, theirs="a\nb", line=5, host=None, notes=("why",), is_failed=True
)
PLAIN = Entry(effect=Effect.ALLOW, theirs="b.example", line=6, host="b.example", port=8443)


def imported(*entries: Entry, name: str = "web", **profile: object) -> Imported:
    made = Profile(name=name, entries=entries, notes=("of the profile",), **profile)  # type: ignore[arg-type]  # its own keywords
    return Imported(
        tool="x", source="f", profiles=(made,), default_profile=name, notes=("of the file",)
    )


def test_everything_in_one_file() -> None:
    found = imported(DENY, HOOK, LEFT_OUT, PLAIN, protocols=(Protocol.HTTP, Protocol.HTTPS))
    assert as_toml(found).split("\n", 2)[2] == (
        "# of the file\n"
        'default_profile = "web"\n'
        "\n"
        "# of the profile\n"
        "[profiles.web.network]\n"
        'mode = "full"\n'
        'default = "deny"\n'
        "allow = [\n"
        "    # left out, line 5, 'a\\nb': why\n"
        '    "http://b.example:8443", "https://b.example:8443",\n'
        "]\n"
        "deny = [\n"
        "]\n"
        "\n"
        "[[profiles.web.network.rules]]  # line 3\n"
        'host = "evil.example"\n'
        'verdict = "deny"\n'
        'reason = "no"\n'
        "\n"
        "[[profiles.web.network.rules]]  # line 4: 'reads'; a note\n"
        'host = "api.example"\n'
        "ports = [443]\n"
        'protocols = ["http", "https"]\n'
        'methods = ["GET"]\n'
        'paths = ["/v1/**"]\n'
        'headers = { x-team = "build" }\n'
        'verdict = "allow"\n'
    )
    assert policies(found)["web"].rule_count == 5


def test_the_counts() -> None:
    found = imported(DENY, HOOK, LEFT_OUT, PLAIN)
    assert (found.kept, found.failed, found.differences) == (3, 1, 4)
    first, *lines = summary(found)
    assert first == "f: 3 imported, 1 can't be said here, 4 differences in meaning"
    assert lines == [
        "f: of the file",
        "f: 'web': of the profile",
        "f:4 allow 'api.example': 'reads'; a note",
        "f:5 allow 'a\\nb': why",
    ]


def test_records() -> None:
    *records, last = as_records(imported(DENY, LEFT_OUT, HOOK))
    assert [record["kind"] for record in records] == ["note", "note", "entry", "entry", "entry"]
    assert records[2] == {
        "kind": "entry", "profile": "web", "effect": "deny", "theirs": "evil.example", "line": 3,
        "rules": ["evil.example"], "failed": False, "notes": [], "reason": "no", "condition": None,
    }  # fmt: skip
    assert (records[3]["rules"], records[3]["failed"]) == ([], True)
    assert records[4]["condition"] == "GET /v1/** x-team: build"
    assert tomllib.loads(last["toml"])
    assert (last["rules"], last["failed"]) == (2, 1)


@given(name=st.text(min_size=1), reason=st.text())
def test_no_name_of_theirs_ends_a_line(name: str, reason: str) -> None:
    found = imported(
        replace(DENY, reason=reason, theirs=name),
        replace(LEFT_OUT, theirs=name, name=name),
        name=name,
        default=Verdict.DENY,
        mode=Mode.FULL,
    )
    (policy,) = policies(found).values()
    assert [str(rule) for rule in policy.spec.rules] == ["evil.example"]


@given(
    names=st.lists(
        st.text(alphabet="a \n\u202e", max_size=3) | st.sampled_from(["a" * 300, "a" * 400, "2 a"]),
        min_size=1,
        unique=True,
    )
)
def test_profiles_stay_apart_whatever_they_are_called(names: list[str]) -> None:
    found = Imported(
        tool="x",
        source="f",
        profiles=tuple(Profile(name=name, entries=(DENY,)) for name in names),
        default_profile=names[0],
    )
    assert len(policies(found)) == len(names)


@pytest.mark.parametrize(
    ("reason", "written"),
    [("why\nso", "why\ufffdso"), (" ", None), ("\t", "\ufffd"), ("x" * 300, "x" * 200), ("", None)],
)
def test_a_reason_is_one_line_of_ours_or_none(reason: str, written: str | None) -> None:
    (policy,) = policies(imported(replace(DENY, reason=reason))).values()
    (rule,) = policy.spec.rules
    assert rule.reason == written


@given(allow=lists, deny=lists, reasons=st.dictionaries(st.text(), st.text(min_size=1)))
def test_our_loader_takes_it(allow: list[str], deny: list[str], reasons: dict[str, str]) -> None:
    reasons |= dict.fromkeys(deny[:1], "because\nof this")
    network = {"allowedDomains": allow, "deniedDomains": deny, "deniedDomainReasons": reasons}
    found = read(json.dumps({"network": network}), "srt.json")
    policies(found)
    for record in as_records(found):
        json.dumps(record)


def test_a_condition_may_have_any_of_its_parts() -> None:
    for part in ({"methods": ("GET",)}, {"paths": ("/a",)}, {"headers": (("x", "y"),)}):
        hook = replace(HOOK, condition=Condition(**part))
        (rule,) = policies(imported(hook))["web"].spec.rules
        assert rule.condition == hook.condition


def test_without_a_default_profile_none_is_written() -> None:
    assert "default_profile" not in as_toml(replace(imported(), default_profile=None))
