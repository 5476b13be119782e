"""What a profile comes to in a home folder that a test made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.app.file_rules import FileRules, file_rules
from netproxy.app.sandbox_settings import SandboxSettings
from sandbox.plan import in_force
from sandbox.repository import obeyed_everywhere

if TYPE_CHECKING:
    from pathlib import Path


def make_home(base: Path) -> Path:
    """One with a workspace `work`, and some of what is hidden."""
    for name in (".ssh", "work/sub", ".config/gh"):
        (base / "home" / name).mkdir(parents=True)
    (base / "home/.netrc").touch()
    return base / "home"


def made(home: Path, cwd: str = "work", **said: object) -> FileRules:
    return file_rules(
        SandboxSettings(**said),  # type: ignore[arg-type]  # a test's own words
        cwd=str(home / cwd),
        homes=(str(home),),
        obeyed=obeyed_everywhere(str(home), {}),
    )


def rights(found: FileRules, home: Path) -> dict[str, str]:
    """What holds at each path, those below home relative to it."""
    return {
        path.removeprefix(f"{home}/"): str(rule.right)
        for path, rule in in_force(found.rules).items()
    }


def missing(found: FileRules, home: Path) -> set[str]:
    return {part.path.removeprefix(f"{home}/") for part in found.missing}
