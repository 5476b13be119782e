"""`netproxy approvals watch`: puts the questions of all gateways here, as they come.

On a terminal the keys are those of `netproxy run`'s own questions. Elsewhere each question is a
line. Whoever watches counts as a reviewer who is there.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from netproxy.app.cli.approvals_command import parser, print_json
from netproxy.app.cli.gateways import CliFailed, own_folder
from netproxy.app.cli.printing import write
from otel import visible

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator

    from approvals.model import Answer
    from approvals.reviewers.terminal import TerminalReviewer
    from netproxy.app.watching import RemoteInquiry, Watch

# More than a protocol, a name of 253 characters and a port (RFC 1035 section 2.3.4).
_LONGEST_PLACE = 300
_DESCRIPTION = """\
Put the questions of all gateways that run here, as they come. On a terminal they are answered with
one key; elsewhere each is a line, or with --json a document. Ctrl-C leaves; while a question is on
the screen it denies that one, as in netproxy run."""


def main(arguments: list[str]) -> int:
    """Watch until interrupted. Returns 0 then."""
    made = parser("watch", _DESCRIPTION)
    made.add_argument("--bell", action="store_true", help="ring at each question")
    made.add_argument(
        "--notify", action="store_true", help="tell of each by notify-send, on the desktop"
    )
    options = made.parse_args(arguments)
    from approvals.clock import SystemClock
    from netproxy.app.watching import Watch

    folder = own_folder(os.environ)
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty() and not options.json
    desk = _Person(options) if is_terminal else _Lines(options)
    try:
        asyncio.run(_watched(Watch(folder, desk, SystemClock())))
    except KeyboardInterrupt:
        if is_terminal:
            sys.stdout.write("\n")
    return 0


async def _watched(watch: Watch) -> None:
    try:
        await watch.run()
    except* CliFailed as failed:
        raise failed.exceptions[0] from None


class _Lines:
    """A program, or a person who only reads. Fills `netproxy.app.watching.Desk`."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options

    async def put(self, inquiry: RemoteInquiry) -> Answer | None:
        """Print it, and how it ends."""
        request = inquiry.document["request"]
        where = request["destination"]
        if self._options.json:
            print_json({**inquiry.document, "gateway": inquiry.gateway.name, "kind": "asked"})
        else:
            write(f"asked  {request['approval_id']}  {where}  {request['command']}")
        sys.stdout.flush()
        _ring(self._options, where)
        try:
            await asyncio.Event().wait()
        finally:
            if inquiry.resolution is not None:
                self._ended(inquiry)
        return None

    def told(self, line: str) -> None:
        """Say it beside the lines that are read."""
        sys.stderr.write(f"netproxy approvals watch: {line}\n")

    def _ended(self, inquiry: RemoteInquiry) -> None:
        resolution = inquiry.resolution
        assert resolution is not None
        approval_id, status = resolution.approval_id, resolution.status.value
        if self._options.json:
            print_json(
                {
                    "approval_id": approval_id,
                    "gateway": inquiry.gateway.name,
                    "kind": "resolved",
                    "status": status,
                }
            )
        else:
            by = "" if resolution.answer is None else f"  by {resolution.answer.reviewer}"
            where = inquiry.document["request"]["destination"]
            write(f"{status}  {approval_id}  {where}{by}")
        sys.stdout.flush()


class _Person:
    """Whoever sits at this terminal. Fills `netproxy.app.watching.Desk`."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._reviewer = _reviewer()

    async def put(self, inquiry: RemoteInquiry) -> Answer | None:
        """Ask, one question at a time."""
        from approvals.errors import ReviewerUnavailable

        _ring(self._options, inquiry.question.key.destination)
        try:
            return await self._reviewer.review(inquiry)
        except ReviewerUnavailable as gone:
            self.told(str(gone))
            return None

    def told(self, line: str) -> None:
        """Say it where the questions are."""
        write(f"netproxy: {visible(line, limit=500)}")
        sys.stdout.flush()


class _OwnScreen:
    """No command writes here. Fills `approvals.ports.Screen`."""

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Nobody has to be kept back."""
        yield


def _reviewer() -> TerminalReviewer:
    from approvals.clock import SystemClock
    from approvals.config import TerminalConfig
    from approvals.reviewers.terminal import TerminalReviewer

    return TerminalReviewer(
        reviewer=_user(),
        screen=_OwnScreen(),
        clock=SystemClock(),
        config=TerminalConfig(),
        environment=os.environ,
    )


def _user() -> str:
    """For the screen only; the gateway asks the kernel who answers."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _ring(options: argparse.Namespace, where: str) -> None:
    if options.bell:
        sys.stderr.write("\a")
        sys.stderr.flush()
    if options.notify:
        _notify(where)


def _notify(where: str) -> None:
    """By the desktop, if it has the program; its text may hold markup, which ours may not be."""
    import html

    from sandbox.host import find_of_system
    from sandbox.process import start_background

    if (program := find_of_system("notify-send")) is not None:
        text = html.escape(visible(where, limit=_LONGEST_PLACE))
        command = [program, "--app-name=netproxy", "--", "netproxy asks", text]
        start_background(command, dict(os.environ))
