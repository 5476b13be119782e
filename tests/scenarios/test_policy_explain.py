"""What `policy explain` says of a destination is what a run does with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

CONFIG = """\
[bundles]
python = ["pypi.test:443"]

[profiles.dev.network]
default = "deny"
allow = ["@python", "*.allowed.test:443", "10.9.8.7:443"]
deny = ["bad.allowed.test"]

[[profiles.dev.network.rules]]
host = "tracker.test"
verdict = "deny"
reason = "no telemetry"
"""
# What a client asks for, and nothing that is there: what is allowed fails upstream, and only there.
ASKED = (
    "pypi.test:443",
    "a.allowed.test:443",
    "a.allowed.test:80",
    "bad.allowed.test:443",
    "tracker.test:443",
    "other.test:443",
    "127.0.0.1:443",
    "169.254.169.254:443",
    "localhost:443",
)


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    made = Netproxy(me, base)
    folder = made.config / "netproxy"
    folder.mkdir(mode=0o700)
    me.owns(folder)
    (folder / "config.toml").write_text(CONFIG)
    return made


def explained(netproxy: Netproxy, *words: str) -> list[dict[str, Any]]:
    done = netproxy("policy", "explain", "--json", *words)
    assert (done.status, done.err) == (0, "")
    return [json.loads(line) for line in done.out.splitlines()]


def test_a_run_decides_as_it_was_explained(netproxy: Netproxy) -> None:
    script = "; ".join(f"netproxy_ask {where}" for where in ASKED)
    ask = 'netproxy_ask() { curl -s -m 5 -o /dev/null -p -x "$HTTPS_PROXY" "https://$1/"; }; '
    done = netproxy.run(
        "--on-denial", "block", "--no-sandbox", command=["sh", "-c", f"{ask}{script}; true"]
    )
    assert done.status == 0, done.err
    recorded = {
        f"{each['server.address']}:{each['server.port']}": (
            each["network.policy.decision"],
            each["network.policy.reason"],
            each.get("security_rule.name"),
        )
        for each in netproxy.decisions()
    }
    assert sorted(recorded) == sorted(ASKED)
    for each in explained(netproxy, *(f"https://{where}/" for where in ASKED)):
        rule = each["rule"]
        via = f" @{rule['bundle']}" if rule and rule["bundle"] else ""
        label = f"{rule['text']} (config.toml:{rule['line']}{via})" if rule else None
        said = (each["verdict"], each["reason"], label)
        assert recorded[f"{each['host']}:{each['port']}"] == said


def test_the_words_are_those_of_the_refusal_and_of_the_record(netproxy: Netproxy) -> None:
    (told,) = explained(netproxy, "tracker.test:443")
    done = netproxy.run("--no-sandbox", command=["curl", "-s", "-m", "5", "https://tracker.test/"])
    assert done.status == 77
    assert told["explanation"] in done.err
    assert told["explanation"].endswith(": no telemetry")
    (decision,) = netproxy.decisions()
    assert decision["netproxy.policy.explanation"] == told["explanation"]


def test_the_change_that_it_names_works(netproxy: Netproxy) -> None:
    (told,) = explained(netproxy, "other.test:443")
    flag, rule = told["change"]["flag"].split()
    (again,) = explained(netproxy, "other.test:443", flag, rule)
    assert (told["verdict"], again["verdict"]) == ("deny", "allow")
    (config,) = (netproxy.config / "netproxy").iterdir()
    assert told["change"]["line"] == f'allow = ["{rule}"]'
    config.write_text(CONFIG.replace("allow = [", f'allow = ["{rule}", ', 1))
    assert explained(netproxy, "other.test:443")[0]["verdict"] == "allow"


def test_for_people_it_is_short_and_plain(netproxy: Netproxy) -> None:
    done = netproxy("policy", "explain", "tracker.test:443", "b\x1b[2Jad")
    assert done.status == 0
    assert done.out.startswith("deny   https://tracker.test:443  denied_by_rule\n")
    assert "\x1b" not in done.out
    assert done.out.count("\n") < 25


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ([], 64, "DEST"),
        (["a.test:1", "--alow", "x"], 64, "did you mean --allow?"),
        (["a.test:1", "--allow", "*.com"], 64, "*.com"),
        (["a.test:1", "--config", "/no/such"], 78, "no such file"),
        (["a.test:1", "--profile", "dve"], 78, "did you mean dev?"),
    ],
)
def test_bad_input(netproxy: Netproxy, words: list[str], status: int, said: str) -> None:
    done = netproxy("policy", "explain", *words)
    assert (done.status, done.out) == (status, "")
    assert said in done.err
    assert done.err.count("\n") == 1
