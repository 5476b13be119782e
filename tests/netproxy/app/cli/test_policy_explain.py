"""`policy explain` answers offline, and looks up only what is allowed, and only when told to."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from netproxy.app.cli.policy_explain import main

if TYPE_CHECKING:
    from pathlib import Path

    from netproxy.transport.resolver import Entries

CONFIG = """\
[profiles.dev.network]
default = "ask"
allow = ["good.example", "8.8.8.8"]
deny = ["evil.example"]
"""


class Asked:
    """A name server that knows every name, and notes who asked."""

    def __init__(self, address: str = "93.184.216.34") -> None:
        self.names: list[str] = []
        self._address = address

    def __call__(self, host: str) -> Entries:
        self.names.append(host)
        if host == "good.example":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self._address, 0))]
        raise OSError("no such name")


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return str(path)


def explain(
    capsys: pytest.CaptureFixture[str], config: str, *words: str, lookup: Asked | None = None
) -> list[dict[str, Any]]:
    options = ["--config", config, "--no-project", "--json"]
    assert main([*words, *options], lookup=lookup or Asked()) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


EVERYTHING = ["good.example:443", "evil.example:443", "other.example:443", "8.8.8.8:443", "a..b:1"]


def test_one_line_each_in_their_order(capsys: pytest.CaptureFixture[str], config: str) -> None:
    found = explain(capsys, config, *EVERYTHING)
    assert [(each["destination"], each["verdict"]) for each in found] == list(
        zip(EVERYTHING, ["allow", "deny", "ask", "allow", "deny"], strict=True)
    )
    assert all("addresses" not in each for each in found)


def test_keys_are_sorted(capsys: pytest.CaptureFixture[str], config: str) -> None:
    main(["a.example:1", "--json", "--config", config, "--no-project"])
    line = capsys.readouterr().out
    assert line == json.dumps(json.loads(line), sort_keys=True) + "\n"


def test_nothing_is_looked_up_unless_told_to(
    capsys: pytest.CaptureFixture[str], config: str
) -> None:
    asked = Asked()
    explain(capsys, config, *EVERYTHING, lookup=asked)
    assert asked.names == []


def test_only_what_is_allowed_is_looked_up(capsys: pytest.CaptureFixture[str], config: str) -> None:
    asked = Asked()
    found = explain(capsys, config, *EVERYTHING, "--resolve", lookup=asked)
    assert asked.names == ["good.example"]
    good, evil, other, literal, bad = found
    assert good["addresses"] == [{"address": "93.184.216.34", "class": "public", "dialled": True}]
    assert literal["addresses"] == [{"address": "8.8.8.8", "class": "public", "dialled": True}]
    for each in (evil, other, bad):
        assert each["addresses"] == []
        assert each["lookup"] == "not looked up: it is not allowed, and a lookup is egress"


def test_private_answers_say_what_would_open_them(
    capsys: pytest.CaptureFixture[str], config: str
) -> None:
    (found,) = explain(capsys, config, "good.example:443", "--resolve", lookup=Asked("10.0.0.9"))
    assert found["addresses"] == [{"address": "10.0.0.9", "class": "private", "dialled": False}]
    assert found["lookup_hint"] == "--allow-private 10.0.0.9/32"


def test_a_failed_lookup_is_told(capsys: pytest.CaptureFixture[str], config: str) -> None:
    (found,) = explain(capsys, config, "x.example:443", "--allow", "x.example", "--resolve")
    assert found["lookup"] == "x.example could not be resolved: no such name"


ROUTED = """\
[profiles.dev.network]
default = "ask"
allow = ["*.c.example"]
deny = ["evil.c.example"]
[parents.corp]
url = "http://10.0.0.1:3128"
[[routes]]
hosts = ["evil.c.example", "paste.c.example"]
to = "refuse"
[[routes]]
hosts = ["here.c.example"]
to = "direct"
[[routes]]
hosts = ["*.c.example", "asked.test"]
to = "corp"
"""


def test_where_it_leaves(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(ROUTED)
    asked = Asked()
    names = [
        "a.c.example",
        "here.c.example",
        "asked.test",
        "b.test",
        "paste.c.example",
        "evil.c.example",
    ]
    found = explain(
        capsys, str(path), *(f"{name}:443" for name in names), "--resolve", lookup=asked
    )
    assert [(each["verdict"], each.get("leaves")) for each in found] == [
        ("allow", {"to": "corp", "route": "*.c.example (c.toml:13)"}),
        ("allow", {"to": "direct", "route": "here.c.example (c.toml:10)"}),
        ("ask", {"to": "corp", "route": "asked.test (c.toml:13)"}),
        ("ask", {"to": "direct", "route": None}),
        ("deny", None),
        ("deny", None),
    ]
    assert asked.names == ["a.c.example", "here.c.example"]
    refused, denied = found[-2:]
    assert (
        refused["explanation"]
        == "paste.c.example:443 is refused by route paste.c.example (c.toml:7)"
    )
    assert (refused["reason"], refused["rule"]) == ("denied_by_rule", None)
    assert refused["steps"][-1] == {"step": "routes", "found": "paste.c.example (c.toml:7) refuses"}
    assert refused["change"]["text"] == (
        "take paste.c.example out of the route that refuses it, paste.c.example (c.toml:7)"
    )
    assert "denied by rule evil.c.example" in denied["explanation"]


def test_where_it_leaves_for_people(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(ROUTED)
    names = ["a.c.example:443", "here.c.example:443", "b.test:443"]
    assert main([*names, "--config", str(path), "--no-project"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("  leaves")] == [
        "  leaves  through parent corp, by route *.c.example (c.toml:13)",
        "  leaves  directly, by route here.c.example (c.toml:10)",
        "  leaves  directly: no route names it",
    ]


def test_flags_and_method(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[profiles.dev.network]\nmode = "limited"\nallow = ["a.example"]\n')
    for method, verdict in (("GET", "allow"), ("POST", "deny")):
        (found,) = explain(capsys, str(path), "http://a.example/x", "--method", method)
        assert (found["method"], found["verdict"]) == (method, verdict)


def test_for_people_an_empty_line_parts_them(
    capsys: pytest.CaptureFixture[str], config: str
) -> None:
    assert main(["good.example:443", "evil.example:443", "--config", config, "--no-project"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("allow  https://good.example:443  allowed_by_rule\n")
    assert "\n\ndeny   https://evil.example:443  denied_by_rule\n" in out


def test_without_a_destination_it_is_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([])
    assert left.value.code == 64
    assert capsys.readouterr().err.startswith("netproxy policy explain: ")
