"""Live reload: settings that changed while the command runs are recorded, and then in force.

All or nothing: what can't be read, checked or recorded leaves everything as it is. What takes time
happens beside the loop (`netproxy.app.reread`); here is what the loop has to do with it.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol, Self

from netproxy.app.reread import Held, Moved, Rejected, Renewed, Reread, Settled
from otel import AuditUnavailable
from otel.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netproxy.app.policy_in_force import PolicyInForce
    from netproxy.app.reread import Finding
    from otel.events import Event

# A look costs some microseconds. Twice a second, so that what is saved holds within one.
_PAUSE_SECONDS = 0.5
# The gateway opens when this has looked once, but nobody is let wait for a dead network mount.
_FIRST_SECONDS = 2.0


class SyncedSink(Protocol):
    """Where events go. Both methods raise `AuditUnavailable`."""

    def record(self, event: Event) -> None:
        """Append one event; it is written when this returns."""

    def record_synced(self, event: Event) -> None:
        """Append one event; it survives a power cut when this returns."""


class Reloader:
    """Keeps the policy in force like the files, as long as it is entered. Made inside a loop."""

    def __init__(  # noqa: PLR0913 what it looks at, and what it has a hand in
        self,
        reread: Reread,
        held: Held,
        in_force: PolicyInForce,
        *,
        audit: SyncedSink,
        wanted: asyncio.Event,
        pause_seconds: float = _PAUSE_SECONDS,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """`held` is what `in_force` was made from; `wanted` is set to ask for a look at once.

        `say` tells somebody at once; without it `notices` does at the end, where a command has the
        terminal until then.
        """
        self._reread = reread
        self._held = held
        self._waiting: Renewed | None = None
        self._in_force = in_force
        self._audit = audit
        self._wanted = wanted
        self._pause_seconds = pause_seconds
        self._has_looked = asyncio.Event()
        self._told: set[frozenset[tuple[object, str]]] = set()
        self._notices: dict[str, str] = {}
        self._say = say
        self._loop = asyncio.get_running_loop()

    async def __aenter__(self) -> Self:
        self._task = self._loop.create_task(self._run())
        with suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_SECONDS):
                await self._has_looked.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    def notices(self) -> Iterator[str]:
        """What a person should know when the run is over: what was changed, and doesn't hold."""
        if self._say is None:
            yield from self._notices.values()

    def _notice(self, key: str, text: str) -> None:
        is_new = self._notices.get(key) != text
        self._notices[key] = text
        if is_new and self._say is not None:
            self._say(text)

    async def _run(self) -> None:
        while True:
            thorough = self._wanted.is_set()
            self._wanted.clear()
            try:
                await self._look(thorough=thorough)
            except Exception as broken:  # noqa: BLE001 root of the task: the next look may go well
                self._notice("broken", f"changes of the settings could not be seen: {broken!r}")
            else:
                self._notices.pop("broken", None)
            self._has_looked.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause_seconds):
                    await self._wanted.wait()

    async def _look(self, *, thorough: bool) -> None:
        look = partial(self._reread.look, self._held, self._waiting, thorough=thorough)
        self._take(await beside_the_loop(look))

    def _take(self, finding: Finding) -> None:
        self._waiting = None
        match finding:
            case Renewed():
                self._renew(finding)
            case Rejected():
                self._reject(finding)
            case Settled(held=held):
                self._held = held
                self._notices.pop("files", None)
            case Moved(held=held):
                self._hold(held)
            case None:
                return

    def _renew(self, renewed: Renewed) -> None:
        """Put it on record, and only then into force: nothing decides that can't be proved."""
        try:
            self._audit.record_synced(renewed.event)
        except AuditUnavailable as lost:
            self._waiting = renewed
            self._notice(
                "files",
                "the rules changed meanwhile, but that could not be recorded "
                f"({lost}): the ones from before held",
            )
            return
        if renewed.held.rejected is None:
            self._notices.pop("files", None)
        if renewed.late:
            late = ", ".join(renewed.late)
            self._notice("late", f"the settings changed; at the next start takes effect: {late}")
        self._hold(renewed.held)
        if self._say is not None:
            self._say(f"the rules changed ({renewed.event.source}), and hold from now on")

    def _hold(self, held: Held) -> None:
        self._held = held
        self._in_force.swap(held.policy)

    def _reject(self, rejected: Rejected) -> None:
        """Say so once for each content; the rules from before hold on."""
        self._held = replace(self._held, rejected=rejected.states)
        first, *more = rejected.event.errors
        others = f" (and {len(more)} more)" if more else ""
        self._notice(
            "files",
            "the settings were changed meanwhile, and can't be used: "
            f"{first}{others}; the rules from before held",
        )
        content = frozenset(rejected.states.items())
        if content not in self._told:
            self._told.add(content)
            with suppress(AuditUnavailable):  # nothing acts on it
                self._audit.record(rejected.event)


async def beside_the_loop[T](work: Callable[[], T]) -> T:
    """Do it in a daemon thread: what hangs there delays neither the loop nor our exit."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def deliver(result: T | None, problem: Exception | None) -> None:
        if done.done():
            return
        if problem is not None:
            done.set_exception(problem)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # None only where T is None, too

    def run() -> None:
        result, problem = None, None
        try:
            result = work()
        except Exception as failed:  # noqa: BLE001 root of the thread: carried to whoever waits
            problem = failed
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(deliver, result, problem)

    threading.Thread(target=run, name="reload", daemon=True).start()
    return await done
