"""[parents] and [[routes]] of the user's file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli.run_options import parse_run
from netproxy.app.settings import Settings, load_settings
from netproxy.connection.routes import Exit, Login, Parent, ParentKind, Resolving
from netproxy.errors import InvalidSettings
from tests.support.parents import to

if TYPE_CHECKING:
    from pathlib import Path

FILE = """\
[parents.corp]
url = "http://proxy.corp.example:3128"
credentials_file = "~/.config/netproxy/corp.secret"

[parents.away]
url = "socks5h://10.0.0.1"

[[routes]]
hosts = ["*.corp.example", "10.0.0.0/8"]
to = "direct"

[[routes]]
hosts = ["paste.example"]
to = "refuse"

[[routes]]
hosts = ["away.example"]
to = "away"

[[routes]]
hosts = ["*"]
to = "corp"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / ".config/netproxy"
    found.mkdir(parents=True)
    secret = found / "corp.secret"
    secret.write_text("joe:hunter2:3\n")
    secret.chmod(0o600)
    return found


def load(folder: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    (folder / "config.toml").write_text(text)
    home = folder.parent.parent
    return load_settings(
        parse_run(["--no-project", "--", "true"]),
        {"HOME": str(home)}
        | ({"HTTPS_PROXY": "http://elsewhere.example:1"} if environ is None else environ),
        managed_file=home / "none",
        directory=home,
    )


def problem(folder: Path, text: str) -> str:
    with pytest.raises(InvalidSettings) as refused:
        load(folder, text)
    [line] = refused.value.problems
    return line


def test_routes_and_parents(folder: Path) -> None:
    routes = load(folder, FILE).routes
    assert routes is not None
    corp = Parent(
        name="corp",
        kind=ParentKind.HTTP,
        host="proxy.corp.example",
        port=3128,
        login=Login(user="joe", password="hunter2:3"),
    )
    assert routes.way(to("https://pypi.org")) == corp
    assert routes.way(to("https://a.corp.example")) is Exit.DIRECT
    assert routes.way(to("https://paste.example")) is Exit.REFUSE
    away = routes.way(to("https://away.example"))
    assert isinstance(away, Parent)
    assert (away.kind, away.port, away.resolving) == (ParentKind.SOCKS5, 1080, Resolving.THERE)


def test_resolve_says_more_than_the_scheme(folder: Path) -> None:
    text = '[parents.a]\nurl = "socks5h://10.0.0.1"\nresolve = "here"\n'
    text += '[[routes]]\nhosts = ["*"]\nto = "a"\n'
    routes = load(folder, text).routes
    assert routes is not None
    way = routes.way(to("https://pypi.org"))
    assert isinstance(way, Parent)
    assert way.resolving is Resolving.HERE


def test_no_route_and_no_parent_is_nothing(folder: Path) -> None:
    """Not from the environment either: what a command sets, too, is nobody's setting."""
    assert load(folder, "").routes is None


def test_reading_twice_is_the_same(folder: Path) -> None:
    assert load(folder, FILE).routes == load(folder, FILE).routes


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[routes]]\nhosts = ["*"]\nto = "crp"\n[parents.corp]\nurl = "http://a.b:1"\n',
         "config.toml:3:1 routes[0].to: there is no parent 'crp', did you mean corp?"),
        ('[parents.direct]\nurl = "http://a.b:1"\n', "config.toml:1:1 parents.direct: is a word"),
        ('[parents.a]\nurl = "http://joe:hunter2@a.b:1"\n', "parents.a.url: holds credentials"),
        ('[parents.a]\nurl = "a.b:1"\nfoo = 1\n', None),
        ('[[routes]]\nhosts = ["*.com"]\nto = "direct"\n', "did you mean *.example.com?"),
        ('[[routes]]\nhosts = []\nto = "direct"\n', "routes[0].hosts: must not be empty"),
    ],
)  # fmt: skip
def test_a_mistake_has_its_place(folder: Path, text: str, says: str | None) -> None:
    with pytest.raises(InvalidSettings) as refused:
        load(folder, text)
    assert "hunter2" not in str(refused.value)
    if says is None:
        assert len(refused.value.problems) == 2
    else:
        assert says in str(refused.value)


def with_file(name: str) -> str:
    return f'[parents.a]\nurl = "http://a.b:1"\ncredentials_file = "{name}"\n'


@pytest.mark.parametrize(
    ("mode", "content", "says"),
    [
        (0o640, b"a:b", "others may open it"),
        (0o604, b"a:b", "others may open it"),
        (0o600, b"nobody", "is not one line user:password"),
        (0o600, b":b", "is not one line user:password"),
        (0o600, b"a:", "is not one line user:password"),
        (0o600, b"a:b\nc:d", "is not one line user:password"),
        (0o600, b"a:b\r\nX-Evil: 1", "is not one line user:password"),
        (0o600, "a:ö".encode(), "is not one line user:password"),
        (0o600, b"a:" + b"b" * 256, "is not one line user:password"),
    ],
)
def test_credentials_that_are_not_secret_or_not_plain(
    folder: Path, mode: int, content: bytes, says: str
) -> None:
    (folder / "a.secret").write_bytes(content)
    (folder / "a.secret").chmod(mode)
    line = problem(folder, with_file("~/.config/netproxy/a.secret"))
    assert "parents.a: " in line
    assert says in line


def test_credentials_must_lie_where_the_command_cannot_see_them(folder: Path) -> None:
    outside = folder.parent.parent / "a.secret"
    outside.write_text("a:b")
    outside.chmod(0o600)
    (folder / "link").symlink_to(outside)
    for name in ("~/a.secret", str(outside), "a.secret", "~/.config/netproxy/link"):
        assert "which a command can't see" in problem(folder, with_file(name))


def test_credentials_that_are_missing_or_somebody_elses(folder: Path) -> None:
    assert "no such file" in problem(folder, with_file("~/.config/netproxy/none"))
    if os.geteuid() == 0:
        (folder / "a.secret").write_text("a:b")
        (folder / "a.secret").chmod(0o600)
        os.chown(folder / "a.secret", 12345, 12345)
        assert "somebody else" in problem(folder, with_file("~/.config/netproxy/a.secret"))


def test_a_project_may_not_choose_the_way_out(folder: Path) -> None:
    from netproxy.policy.loader import load as read
    from netproxy.policy.origin import Layer

    for text in (
        '[parents.a]\nurl = "http://a.b:1"\n',
        '[[routes]]\nhosts = ["*"]\nto = "direct"\n',
    ):
        with pytest.raises(InvalidSettings, match="a project may not set this"):
            read(text, "netproxy.toml", layer=Layer.PROJECT)


ENVIRONMENT = '[parents.env]\nfrom_environment = true\n[[routes]]\nhosts = ["*"]\nto = "env"\n'


def in_environment(folder: Path, **environ: str) -> Settings:
    return load(folder, ENVIRONMENT, environ)


def test_the_environments_proxy_where_the_file_asks_for_it(folder: Path) -> None:
    routes = in_environment(
        folder, https_proxy="proxy.example:3128", NO_PROXY="a.example,.b.example:8443"
    ).routes
    assert routes is not None
    way = routes.way(to("https://pypi.org"))
    assert isinstance(way, Parent)
    assert (way.name, way.kind, way.host, way.port) == ("env", "http", "proxy.example", 3128)
    assert routes.way(to("https://x.a.example")) is Exit.DIRECT
    assert routes.way(to("https://x.b.example:8443")) is Exit.DIRECT
    assert routes.way(to("https://x.b.example")) == way


def test_an_environment_without_a_proxy_is_directly(folder: Path) -> None:
    routes = in_environment(folder, NO_PROXY="a.example").routes
    assert routes is not None
    assert routes.way(to("https://pypi.org")) is Exit.DIRECT


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"ALL_PROXY": "http://joe:hunter2@a.b:1"}, "holds credentials"),
        ({"HTTPS_PROXY": "ftp://a.b:1"}, "is not one of"),
        ({"HTTPS_PROXY": "a.b:1", "no_proxy": "127.1"}, "NO_PROXY"),
    ],
)
def test_an_environment_that_cannot_be_read(
    folder: Path, environ: dict[str, str], says: str
) -> None:
    with pytest.raises(InvalidSettings, match=says) as refused:
        in_environment(folder, **environ)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("more", ["", 'url = "http://a.b:1"\nfrom_environment = true\n'])
def test_a_parent_has_one_address(folder: Path, more: str) -> None:
    assert "either url or from_environment" in problem(folder, f"[parents.a]\n{more}")
