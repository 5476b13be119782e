"""Where connections leave, by the user's file: its `[parents]` and `[[routes]]`, made into routes.

Imported when a file has some. Credentials come from files that only their owner may read, and
that the command can't: never from a URL, and never from an environment, which a command may see.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from netproxy.app.places import config_home
from netproxy.app.regular_file import read_regular
from netproxy.connection.routes import Exit, Login, Parent, ParentKind, Resolving, Route, Routes
from netproxy.errors import InvalidRule, InvalidSettings
from netproxy.policy.hosts import shown
from netproxy.policy.no_proxy import parse_no_proxy
from netproxy.policy.parent_urls import ParentUrl, parse_parent_url
from netproxy.policy.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netproxy.connection.routes import Way
    from netproxy.policy.loader import Document
    from netproxy.policy.way_tables import ParentTable

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_PROXIES = ("https_proxy", "all_proxy", "http_proxy")
_LONGEST = 255  # RFC 1929 section 2: one byte counts


def routes_of(document: Document, environ: Mapping[str, str], home: Path) -> Routes:
    """Make the routes. Raises `InvalidSettings` with every problem."""
    problems: list[str] = []
    ways: dict[str, Way] = {way.value: way for way in Exit}
    for name, table in document.parents.items():
        if name in ways:
            problems.append(document.problem(("parents", name), "is a word of routes, not a name"))
            continue
        try:
            ways[name] = _way(name, table, environ, home)
        except InvalidSettings as invalid:
            problems += [document.problem(("parents", name), what) for what in invalid.problems]
    routes = []
    for index, (hosts, to) in enumerate(document.routes):
        if to in ways:
            routes.append(Route(hosts, ways[to]))
        elif to not in document.parents:
            known = (*document.parents, *(way.value for way in Exit))
            what = f"there is no parent {shown(to)}{nearest(to, known)}"
            problems.append(document.problem(("routes", index, "to"), what))
    if problems:
        raise InvalidSettings(tuple(problems))
    return Routes(routes)


def _way(name: str, table: ParentTable, environ: Mapping[str, str], home: Path) -> Way:
    """A parent; directly where the environment is asked for one and has none."""
    if table.from_environment == (table.url is not None):
        raise InvalidSettings(("needs either url or from_environment = true",))
    try:
        url = table.url or _url_of(environ)
        passed_by = parse_no_proxy(_said(environ, "no_proxy")) if table.from_environment else ()
    except InvalidRule as invalid:
        raise InvalidSettings((f"from_environment: {invalid}",)) from None
    if url is None:
        return Exit.DIRECT
    says = Resolving.THERE if url.says_there else Resolving.HERE
    file, folder = table.credentials_file, config_home(environ, home)
    return Parent(
        name=name,
        kind=ParentKind(url.kind),
        host=url.host,
        port=url.port,
        resolving=Resolving(table.resolve) if table.resolve else says,
        login=_login(file, home, folder) if file else None,
        passed_by=passed_by,
    )


def _url_of(environ: Mapping[str, str]) -> ParentUrl | None:
    """One proxy for everything: the first that is set."""
    said = next(filter(None, (_said(environ, name) for name in _PROXIES)), None)
    if said is None:
        return None
    return parse_parent_url(said if "://" in said else f"http://{said}")


def _said(environ: Mapping[str, str], name: str) -> str:
    """In lower case or in upper case, as curl."""
    return environ.get(name) or environ.get(name.upper(), "")


def _login(text: str, home: Path, folder: Path) -> Login:
    """Read `user:password` from the one line of a file."""
    path = home / text.removeprefix("~/") if text.startswith("~/") else home.__class__(text)
    # A sandboxed command sees this user's files, but not this folder.
    if not path.is_absolute() or "\0" in text or not _lies_in(path, folder):
        raise InvalidSettings(
            (f"credentials_file must lie in {folder}, which a command can't see",)
        )
    try:
        content, found = read_regular(path)
    except FileNotFoundError:
        raise InvalidSettings((f"{path}: there is no such file",)) from None
    if found.st_mode & _OTHERS:
        raise InvalidSettings((f"{path}: others may open it: chmod 600",))
    if found.st_uid not in {0, os.geteuid()}:
        raise InvalidSettings((f"{path}: belongs to somebody else",))
    user, colon, password = content.decode("ascii", "replace").rstrip("\r\n").partition(":")
    fits = all(
        part.isprintable() and part.isascii() and 0 < len(part) <= _LONGEST
        for part in (user, password)
    )
    if not colon or not fits:
        raise InvalidSettings((f"{path}: is not one line user:password of plain characters",))
    return Login(user=user, password=password)


def _lies_in(path: Path, folder: Path) -> bool:
    return os.path.realpath(path).startswith(os.path.realpath(folder) + os.sep)
