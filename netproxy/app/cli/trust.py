"""`netproxy trust [FOLDER]`: let a project's netproxy.toml count, in the content that it has now.

Status 0 when it is trusted, 1 when the answer was no, 78 (EX_CONFIG) for a file that can't be used,
64 for bad usage.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from netproxy.app import places
from netproxy.app.cli.printing import write
from netproxy.app.cli.run_options import RunOptions
from netproxy.app.cli.usage import EXIT_USAGE, UsageParser
from netproxy.app.home import home_of
from netproxy.app.project import place_of, read, spelled_place
from netproxy.app.settings import check_project
from netproxy.app.trust import TrustStore
from netproxy.errors import InvalidSettings
from otel import visible

if TYPE_CHECKING:
    import argparse

    from netproxy.app.settings import ProjectProfile
    from netproxy.policy.blocks import Block
    from netproxy.policy.rules import Rule

_EXIT_NO = 1
_DESCRIPTION = """\
Show what a project's netproxy.toml says, and let it count for `netproxy run` from here on: this
file, with this content. After any change it has to be trusted again."""


def main(arguments: list[str]) -> int:
    """Trust, list or forget. Returns the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.json and not options.list:
        parser.error("--json goes with --list")
    try:
        home = home_of(os.environ)
        store = TrustStore(places.state_home(os.environ, home))
        if options.list:
            return _list(store, as_json=options.json)
        if options.remove:
            return _remove(store, options.folder)
        return _trust(store, place_of(options.folder), options)
    except InvalidSettings as invalid:
        sys.stderr.writelines(f"netproxy trust: {visible(each)}\n" for each in invalid.problems)
        return os.EX_CONFIG


def _parser() -> UsageParser:
    parser = UsageParser(prog="netproxy trust", description=_DESCRIPTION)
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path(), metavar="FOLDER",
        help="where the file is (default: here)",
    )  # fmt: skip
    parser.add_argument("--yes", action="store_true", help="do not ask")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--list", action="store_true", help="what is trusted")
    other.add_argument("--remove", action="store_true", help="trust it no longer")
    parser.add_argument("--json", action="store_true", help="with --list: JSON instead of text")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="the user's file that it has to go with"
    )
    parser.add_argument("--profile", metavar="NAME", help="which profile of that file")
    return parser


def _trust(store: TrustStore, path: Path, options: argparse.Namespace) -> int:
    found = read(path)
    given = RunOptions(config=options.config, profile=options.profile)
    profiles = check_project(found, given, os.environ)
    if found.digest in store.entries().get(str(path), {}):
        _say(f"{path} is trusted already, as it is")
        return 0
    for line in (str(path), *(line for profile in profiles for line in _lines(profile))):
        _say(line)
    if not options.yes:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            sys.stderr.write("netproxy trust: there is no terminal to ask on, give --yes\n")
            return EXIT_USAGE
        if not _agreed():
            _say("not trusted")
            return _EXIT_NO
    store.add(path, found.digest)
    _say(f"trusted: {path}")
    return 0


def _agreed() -> bool:
    try:
        return input("Trust this content? [y/N] ").strip().lower() in {"y", "yes"}
    except (EOFError, KeyboardInterrupt):
        sys.stdout.write("\n")
        return False


def _lines(profile: ProjectProfile) -> list[str]:
    """What one profile says, in canonical spelling, and what of it widens the user's policy."""
    layer = profile.layer
    said = (
        ("mode", layer.mode),
        ("default", layer.default),
        ("on_denial", layer.on_denial),
        ("sni", layer.sni),
    )
    lines = [
        f"  {key} {getattr(one.value, 'value', one.value)}" for key, one in said if one is not None
    ]
    lines += [
        f"  allow_private {each.value}{_mark(each.value, profile)}" for each in layer.allow_private
    ]
    lines += [
        f"  {rule.effect.value} {rule.canonical}{_mark(rule, profile)}" for rule in layer.rules
    ]
    return [f"profile {profile.name}:", *(lines or ["  says nothing"])]


def _mark(said: Rule | Block, profile: ProjectProfile) -> str:
    return " (wider than your own rules)" if said in profile.wider else ""


def _list(store: TrustStore, *, as_json: bool) -> int:
    for path, contents in sorted(store.entries().items()):
        for sha256, when in sorted(contents.items(), key=lambda entry: entry[1]):
            if as_json:
                _say(json.dumps({"path": path, "sha256": sha256, "trusted_at": when}))
            else:
                _say(f"{when}  {sha256[:12]}  {path}")
    return 0


def _remove(store: TrustStore, folder: Path) -> int:
    # What is recorded is a real folder, which may have become a link since.
    for path in (spelled_place(folder), place_of(folder)):
        if store.remove(path):
            _say(f"not trusted any more: {path}")
            return 0
    sys.stderr.write(f"netproxy trust: {visible(str(place_of(folder)))} was not trusted\n")
    return _EXIT_NO


def _say(text: str) -> None:
    write(visible(text))
