"""`netproxy demo`: the main job on local origins. The steps are `netproxy.app.demo.steps`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess  # noqa: TID251  # only its errors: git may fail to make the demo's repository
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from netproxy.app.cli.usage import UsageParser
from netproxy.app.demo.site import Site
from netproxy.app.demo.stage import Stage, TookTooLong
from netproxy.app.demo.steps import LAST, STEPS, Play, Step, local_options
from netproxy.app.demo.story import ClaimFailed, Story, complain
from sandbox.inside import is_inside

if TYPE_CHECKING:
    from collections.abc import Iterator

_DESCRIPTION = """\
Show the main job on local origins, without the internet, in a folder that is
removed afterwards. Exit status: 0 when every step did what it says, 1 if not."""
# Wider than this is hard to read; narrower than that, the question would not fit.
_WIDEST, _NARROWEST = 110, 72
_DYING_SECONDS = 5.0


def main(arguments: list[str]) -> int:
    """Perform it. Returns 0, or 1 with the step that failed."""
    UsageParser(prog="netproxy demo", description=_DESCRIPTION).parse_args(arguments)
    if is_inside():
        complain("this is inside a netproxy run, whose rules hold: the demo needs to be outside")
        return 1
    # However it is ended, the folder goes and the origins stop.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        with _temporary_folder() as folder, Site() as site:
            return _perform(folder, site)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """A folder that is gone afterwards.

    A command that was interrupted dies within milliseconds, and may write until then.
    """
    folder = Path(tempfile.mkdtemp(prefix="netproxy-demo-"))
    try:
        yield folder
    finally:
        deadline = time.monotonic() + _DYING_SECONDS
        while folder.exists() and time.monotonic() < deadline:
            shutil.rmtree(folder, ignore_errors=True)


def _perform(folder: Path, site: Site) -> int:
    began = time.monotonic()
    colours = _wants_colours()
    columns = min(max(shutil.get_terminal_size((100, 24)).columns - 1, _NARROWEST), _WIDEST)
    story = Story(sys.stdout, colours=colours, columns=columns)
    stage = Stage(folder, site, colours=colours, columns=story.room)
    if not _is_fit(stage):
        return 1
    play = Play(stage, story)
    _introduce(play)
    performed = 0
    for number, step in enumerate((*STEPS, LAST), start=1):
        missing = [program for program in step.needs if not stage.finds(program)]
        story.heading(f"{number}. {step.title}")
        if missing or (step is LAST and not performed):
            why = f"not installed: {', '.join(missing)}" if missing else "nothing happened"
            story.aside(f"left out: {why}")
            continue
        if not _survives(step, play):
            return 1
        performed += 1
    return _conclude(story, performed, time.monotonic() - began)


def _conclude(story: Story, performed: int, seconds: float) -> int:
    if not performed:
        complain("no step could be performed: install curl, git or pip")
        return 1
    story.gap()
    story.say(f"{performed} steps in {seconds:.1f} s, and each did what it says.")
    story.say("Now with your own command: netproxy run -- COMMAND")
    return 0


def _survives(step: Step, play: Play) -> bool:
    try:
        step.perform(play)
    except (ClaimFailed, TookTooLong, OSError, subprocess.SubprocessError) as failed:
        sys.stdout.flush()
        complain(f"FAILED at '{step.title}': {failed}")
        return False
    return True


def _is_fit(stage: Stage) -> bool:
    """Whether this host can do it at all; if not, doctor's own lines say why."""
    done = stage.netproxy("doctor")
    if done.status:
        for line in done.text.splitlines():
            if line.startswith("FAIL"):
                complain(line)
    return done.status == 0


def _introduce(play: Play) -> None:
    play.story.say(
        "netproxy runs a command in a sandbox whose only way out is a proxy that decides and "
        "records. This demo needs no internet: it serves a few sites itself, on this machine, and "
        f"works in {play.stage.folder}, which it removes at the end."
    )
    play.story.gap()
    play.story.say(
        "The sites' names exist only here, so each command is told where they are, and that "
        "allowed names may be there. In the commands below, that is $LOCAL:"
    )
    play.story.defined("LOCAL", local_options())


def _wants_colours() -> bool:
    """Only on a terminal that knows them, and not against the user's will (no-color.org)."""
    known = os.environ.get("TERM", "dumb") not in {"", "dumb", "unknown"}
    return sys.stdout.isatty() and known and not os.environ.get("NO_COLOR")
