"""The fence of one run before it is built: plan, environment, and what is on record of it.

Looks at the disk as it is now; starts and changes nothing but the folders of ours that must exist.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from netproxy.app import fencing
from netproxy.app.detached import look, told
from netproxy.app.forgeries import refuse_forgeries
from netproxy.app.reaching import reach_variables
from netproxy.app.user import user_name
from netproxy.policy.origin import Layer
from otel import visible
from otel.events import RunStarted
from otel.values import dataclass, field
from sandbox.capture import Capture, said
from sandbox.config import HTTP_PORT, SOCKS_PORT
from sandbox.environment import Environment, child_environment
from sandbox.errors import PlanRefused
from sandbox.host import find_bwrap, program_paths
from sandbox.launch import Launch
from sandbox.links import links_on
from sandbox.linux import landlock
from sandbox.model import Backend, ProxyAddresses
from sandbox.plan import Access, make_plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netproxy.app.detached import File
    from netproxy.app.file_watch import Identity
    from netproxy.app.settings import Settings
    from sandbox.launch import Listeners
    from sandbox.plan import Plan
    from sandbox.streams import Streams

# Of the variables that a command does not get: so many names are on record, and so much of each.
_MOST_NAMES = 100
_LONGEST_NAME = 100
_INSIDE = ProxyAddresses(http=f"127.0.0.1:{HTTP_PORT}", socks=f"127.0.0.1:{SOCKS_PORT}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """What one run's fence is built from. Without a sandbox there is no plan and no bwrap."""

    settings: Settings
    environ: Mapping[str, str]  # of whoever started the run
    directory: str  # the working directory, as he spells it
    plan: Plan | None
    bwrap: str | None
    closed: Mapping[str, File] = field(default_factory=dict)  # as `detached.look` found it

    def launch(
        self,
        streams: Streams,
        execution_id: str,
        *,
        listeners: Listeners | None = None,
        added: Mapping[str, str],
    ) -> Launch:
        """Return what the sandbox starts with.

        `listeners`: the host's, where there is no sandbox; `added`: what telemetry has for the
        command's environment.
        """
        services = self.settings.sandbox.services
        return Launch(
            command=self.settings.command,
            environment=self._environment(execution_id, listeners, added).variables,
            directory=self.directory,
            streams=streams,
            plan=self.plan,
            machine=fencing.machine(),
            capture=Capture.OFF if self.plan is None else self.settings.sandbox.capture,
            limits=self.settings.sandbox.limits,
            reached=tuple(each.destination.port for each in services.reached),
            is_exposed=bool(services.exposed),
            unix_by_path=bool(services.unix),
        )

    def _environment(
        self, execution_id: str, listeners: Listeners | None, added: Mapping[str, str]
    ) -> Environment:
        return child_environment(
            self.environ,
            addresses=listeners.addresses() if listeners else _INSIDE,
            run_id=execution_id,
            # -I: nothing in the working directory, which the command may write, is imported.
            connect_command=(sys.executable, "-I", "-m", "netproxy", "connect"),
            fenced=self.plan is not None,
            proxies=self.settings.sandbox.capture is not Capture.ONLY,
            policy=self.settings.sandbox.environment,
            usable=self.settings.sandbox.services.unix,
            # bwrap changes to that directory, and used to say so.
            ours={
                **added,
                **reach_variables(self.settings.sandbox.services.reached),
                "PWD": self.directory,
            },
        )

    def withheld(self) -> tuple[str, ...]:
        """The caller's variables that the command does not get: their names, and no value."""
        names = self._environment("", None, {}).withheld
        return tuple(visible(name, limit=_LONGEST_NAME) for name in names[:_MOST_NAMES])

    def pinned(self) -> Mapping[Path, Identity]:
        """The policy files that stay read-only for the command only as long as they are the same.

        Its view of such a file is a mount of its own; when somebody outside puts another file in
        its place, the kernel takes that mount away, and the new one is the command's to write.
        """
        if self.plan is None:
            return {}
        from netproxy.app.file_watch import identify

        # A project's file counts by its content, wherever it lies.
        paths = [each.path for each in self.settings.sources if each.layer is not Layer.PROJECT]
        hidden = [mount.path for mount in self.plan.mounts if mount.access is Access.HIDDEN]
        return identify(paths, below=self.plan.writable(), not_below=hidden)

    def afterwards(self) -> tuple[str, ...]:
        """What to look at when the command is over: a line each."""
        return () if self.plan is None else (*self._made_inside(), *told(self.plan, self.closed))

    def _made_inside(self) -> Iterator[str]:
        """What the command made that is obeyed outside."""
        unborn = () if self.plan is None else self.plan.unborn
        return (
            f"the command made {path}: its hooks and settings are the command's own; look at them "
            "before git, or an editor, runs there"
            for path in unborn
            if os.path.lexists(path)
        )

    def started(self, listeners: Listeners) -> RunStarted:
        """The record of it."""
        captured = said(is_on=listeners.capture is not None, why_not=listeners.no_capture)
        return RunStarted(
            executable=self.settings.command[0],
            directory=self.directory,
            user_id=str(os.getuid()),
            user_name=user_name(),
            backend=Backend.NONE if self.plan is None else Backend.BUBBLEWRAP,
            plan=() if self.plan is None else self.plan.summary(),
            withheld=self.withheld(),
            capture=None if self.plan is None else captured,
            landlock=None if self.plan is None else landlock.version(),
        )


def draw(settings: Settings, environ: Mapping[str, str]) -> Blueprint:
    """Look at the folders, and order what will be mounted.

    Raises `FolderMissing`, `PlanRefused`, `FenceUnavailable`.
    """
    directory = fencing.logical_directory(environ)
    plan = bwrap = None
    if settings.sandbox.no_sandbox and settings.sandbox.capture is Capture.ONLY:
        raise PlanRefused(
            "--capture only: without a sandbox nothing can be captured; leave one out"
        )
    if not settings.sandbox.no_sandbox:
        spec = fencing.sandbox_spec(settings, environ, program=program_paths(sys.path))
        plan = make_plan(spec)
        refuse_forgeries(settings, plan)
        bwrap = find_bwrap(environ.get("PATH", ""), is_writable=plan.lets_write)
        if not all(plan.shows_link(str(link)) for link in links_on(Path(directory))):
            directory = plan.working_directory  # as it is spelled leads nowhere inside
    return Blueprint(
        settings=settings,
        environ=environ,
        directory=directory,
        plan=plan,
        bwrap=bwrap,
        closed={} if plan is None else look(plan),
    )
