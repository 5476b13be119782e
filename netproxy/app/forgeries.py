"""Refuses a run whose command could write what is said of it: records, and answers for it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.errors import PlanRefused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from approvals.config import CommandSettings
    from netproxy.app.settings import Settings
    from sandbox.plan import Plan


def refuse_forgeries(settings: Settings, plan: Plan) -> None:
    """Refuse what of the settings the command could forge. Raises `PlanRefused`."""
    if settings.sinks:
        from netproxy.app.sinks import refuse_writable

        refuse_writable(settings.sinks, plan)
    refuse_own_answers(settings.approvals.commands, plan)


def refuse_own_answers(programs: Iterable[CommandSettings], plan: Plan) -> None:
    """Refuse a program, or a file that it is given, where the command may write.

    Not the file alone: what lies beside a script is imported by it. Raises `PlanRefused`.
    """
    for program in programs:
        for word in program.argv:
            if not word.startswith("/"):
                continue
            # Where it is, and where it is said to be: a link there could be turned.
            for path in (os.path.realpath(word), os.path.normpath(word)):
                if plan.lets_write(path) or plan.lets_write(os.path.dirname(path)):  # noqa: PTH120  # text
                    raise PlanRefused(
                        f"[[approvals.command]] {program.name}: the command may write"
                        f" {Path(path).parent}, so it would answer its own questions; move"
                        f" {Path(word).name} to a folder that it can't write"
                    )
