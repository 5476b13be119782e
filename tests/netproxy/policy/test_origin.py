"""An origin is short where clients see it, and whole where somebody mends it."""

from __future__ import annotations

from netproxy.policy.origin import NOWHERE, Layer, Origin

IN_A_FILE = Origin(
    layer=Layer.USER, file="/home/me/config.toml", line=12, column=5, key="profiles.dev.network"
)


def test_in_a_file() -> None:
    assert str(IN_A_FILE) == "config.toml:12"
    assert IN_A_FILE.place == "/home/me/config.toml:12:5 profiles.dev.network"


def test_on_the_command_line() -> None:
    flag = Origin(layer=Layer.COMMAND_LINE, key="--allow #2")
    assert (str(flag), flag.place) == ("--allow #2", "--allow #2")


def test_out_of_a_bundle() -> None:
    rule = Origin(layer=Layer.USER, file="config.toml", line=3, column=1, bundle="python")
    assert str(rule) == "config.toml:3 @python"


def test_of_a_default() -> None:
    assert (str(NOWHERE), NOWHERE.place) == ("defaults", "defaults")
