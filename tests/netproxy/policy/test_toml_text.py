"""Whatever a text holds, it stays one value, one key, one comment."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.policy.toml_text import comment, key, key_path, value


@given(st.text(), st.text())
def test_what_is_written_is_read_back(name: str, text: str) -> None:
    written = f"{key(name)} = {value(text)}  # {comment(text)}"
    assert "\n" not in written
    assert tomllib.loads(written) == {comment(name): comment(text)}


def test_a_key_is_bare_where_it_may_be() -> None:
    assert (key("dev-1_x"), key("a b"), key("")) == ("dev-1_x", '"a b"', '""')


def test_what_hides_on_a_screen_is_seen() -> None:
    assert comment("a\u202eb\nc\ud800") == "a\ufffdb\ufffdc\ufffd"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("profiles", "dev", "network", "allow", 3), "profiles.dev.network.allow[3]"),
        (("services", 0, 1), "services[0][1]"),
        ((2, "a b"), "[2].'a b'"),
        (("a\x1b[2J",), "'a\\x1b[2J'"),
    ],
)
def test_where_a_value_stands(path: tuple[str | int, ...], text: str) -> None:
    assert key_path(path) == text
