"""What the documents point to exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:netproxy|approvals|sandbox|otel|tests|docs|deploy|bench)/[\w./-]*)`")


def documents() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split("\n")
    # An archive of the source has no git.
    found = [Path(name) for name in listed if name] or [
        path.relative_to(ROOT) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))
    ]
    return sorted(path for path in found if (ROOT / path).exists())


@pytest.mark.parametrize("document", documents(), ids=str)
def test_its_links_lead_somewhere(document: Path) -> None:
    links = _LINK.findall((ROOT / document).read_text())
    local = [link.partition("#")[0] for link in links if "://" not in link and link[0] != "#"]
    gone = [link for link in local if not (ROOT / document.parent / link).exists()]
    assert gone == []


@pytest.mark.parametrize("document", documents(), ids=str)
def test_the_paths_that_it_names_exist(document: Path) -> None:
    """A map that is not true to the ground is worse than none."""
    paths = _PATH.findall((ROOT / document).read_text())
    gone = [path for path in paths if not any(map(Path.exists, _meant(ROOT / path)))]
    assert gone == []


def _meant(path: Path) -> tuple[Path, ...]:
    return path, path.with_suffix(".py")


def test_the_map_answers_each_question_once() -> None:
    """Of two answers the reader takes the first one, and misses the other's files."""
    rows = (ROOT / "docs/ARCHITECTURE.md").read_text().partition("## Where to look")[2]
    asked = [line.split("|")[1].strip() for line in rows.splitlines() if line.startswith("| ")]
    assert [question for question in asked if asked.count(question) > 1] == []


def test_there_are_documents() -> None:
    assert {Path("README.md"), Path("docs/ARCHITECTURE.md")} <= set(documents())
