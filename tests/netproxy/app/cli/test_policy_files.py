"""A file is what it is called, and is read whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from netproxy.app.cli.policy_files import kind_of, text_of
from netproxy.errors import InvalidSettings


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("/home/me/.config/netproxy/config.toml", "config"),
        ("other.toml", "config"),
        ("/work/app/netproxy.toml", "project"),
        ("/etc/netproxy/requirements.toml", "requirements"),
        ("policy/cases.toml", "cases"),
    ],
)
def test_what_a_file_is(name: str, kind: str) -> None:
    assert kind_of(Path(name)) == kind


def test_its_text(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("a = 'ü'\n", encoding="utf-8")
    assert text_of(path) == "a = 'ü'\n"


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"x\.toml: there is no such file"):
        text_of(tmp_path / "x.toml")


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=r": can't be read: is a directory"):
        text_of(tmp_path)


def test_what_has_no_name() -> None:
    with pytest.raises(InvalidSettings, match=r": can't be read: embedded null byte"):
        text_of(Path("a\0b"))


def test_what_has_no_end() -> None:
    """A device must not fill the memory."""
    with pytest.raises(InvalidSettings, match=r"^/dev/zero:1:1 is larger than 32 MiB$"):
        text_of(Path("/dev/zero"))
