"""Whatever happens to the settings while a command runs: the old rules hold, and nobody waits."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli.run_options import parse_run
from netproxy.app.file_watch import FileWatch
from netproxy.app.policy_in_force import PolicyInForce
from netproxy.app.reload import Reloader
from netproxy.app.reread import Held, Reread
from netproxy.app.settings import Settings, load_settings
from netproxy.policy.engine import NO_HOST
from otel.errors import AuditUnavailable
from otel.events import ConfigRejected, Event, PolicyLoaded
from tests.support.fair_clock import FairClock
from tests.support.policies import Memory, to

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

OLD = '[profiles.dev.network]\ndefault = "allow"\ndeny = ["old.test"]\n'
NEW = '[profiles.dev.network]\ndefault = "allow"\ndeny = ["new.test"]\n'
PATIENCE_SECONDS = 30.0
# A reload keeps the loop from others for some 30 ms (100,000 rules, which take seconds to compile).
STALL_SECONDS = 1.0


class Sink:
    """A journal that may be full."""

    def __init__(self) -> None:
        self.is_full = False
        self.events: list[Event] = []

    def record(self, event: Event) -> None:
        if self.is_full:
            raise AuditUnavailable("disk full")
        self.events.append(event)

    record_synced = record


class Bench:
    """A real file, read by the real reader and looked at by the real watch, often."""

    def __init__(self, path: Path, settle_seconds: float) -> None:
        self.path = path
        path.write_text(OLD)
        start = self.load()
        policy = start.policy(now=0)
        self.in_force = PolicyInForce(policy)
        self.sink = Sink()
        watch = FileWatch([path])
        held = Held(settings=start, policy=policy, digest=policy.digest, states=watch.look())
        self.reloader = Reloader(
            Reread(watch, self.load, lambda: NO_HOST, settle_seconds=settle_seconds),
            held,
            self.in_force,
            audit=self.sink,
            wanted=asyncio.Event(),
            pause_seconds=0.01,
        )

    def load(self) -> Settings:
        options = parse_run(["--config", str(self.path), "--", "true"])
        folder = self.path.parent
        return load_settings(
            options, {"HOME": str(folder)}, managed_file=folder / "absent", directory=folder
        )

    @property
    def denied(self) -> set[str]:
        names = ("old.test", "new.test")
        return {n for n in names if self.in_force.current.deny_rule(to(f"{n}:443")) is not None}

    def of(self, kind: type[Event]) -> int:
        return sum(isinstance(event, kind) for event in self.sink.events)

    async def becomes(self, denied: set[str]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.denied != denied:
                await asyncio.sleep(0.005)

    async def happens(self, kind: type[Event]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not self.of(kind):
                await asyncio.sleep(0.005)

    def put(self, text: str) -> None:
        """As an editor does, whatever is there now."""
        if self.path.is_dir():
            self.path.rmdir()
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.rename(self.path)


def story(
    path: Path, tell: Callable[[Bench], Awaitable[None]], *, settle_seconds: float = 0.01
) -> float:
    """The longest that the loop did not come round."""
    stalls: list[float] = []

    async def tick() -> None:
        clock = FairClock()
        while True:
            clock.restart()
            await asyncio.sleep(0.001)
            stalls.append(clock())

    async def inside() -> None:
        bench = Bench(path, settle_seconds)
        ticking = asyncio.get_running_loop().create_task(tick())
        async with bench.reloader:
            await tell(bench)
        ticking.cancel()

    asyncio.run(inside())
    return max(stalls)


def gone(path: Path) -> None:
    path.unlink()


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def huge(path: Path) -> None:
    os.truncate(path, 100 << 20)


def cut_off(path: Path) -> None:
    os.truncate(path, len(OLD) // 2)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def binary(path: Path) -> None:
    path.write_bytes(b"\xff\xfe" + bytes(100))


def deep(path: Path) -> None:
    path.write_text(f"x = {'[' * 100_000}")


def misspelled(path: Path) -> None:
    path.write_text(OLD.replace("deny", "dney"))


def unreadable(path: Path) -> None:
    path.chmod(0)


FAULTS = [
    gone, folder, fifo, dangling, circle, huge, cut_off, emptied, binary, deep, misspelled,
    unreadable,
]  # fmt: skip


@pytest.mark.usefixtures("no_override")
@pytest.mark.parametrize("fault", FAULTS)
def test_the_old_rules_hold_until_the_file_is_mended(
    tmp_path: Path, fault: Callable[[Path], None]
) -> None:
    async def tell(bench: Bench) -> None:
        fault(bench.path)
        await bench.happens(ConfigRejected)
        await asyncio.sleep(0.2)  # many looks
        assert bench.denied == {"old.test"}
        assert (bench.of(ConfigRejected), bench.of(PolicyLoaded)) == (1, 0)
        assert len(list(bench.reloader.notices())) == 1
        bench.put(NEW)
        await bench.becomes({"new.test"})
        assert list(bench.reloader.notices()) == []

    assert story(tmp_path / "config.toml", tell) < STALL_SECONDS


def test_a_full_disk_keeps_the_old_rules_until_there_is_room(tmp_path: Path) -> None:
    async def tell(bench: Bench) -> None:
        bench.sink.is_full = True
        bench.put(NEW)
        await asyncio.sleep(0.3)
        assert bench.denied == {"old.test"}
        bench.sink.is_full = False
        await bench.becomes({"new.test"})
        assert bench.of(PolicyLoaded) == 1

    story(tmp_path / "config.toml", tell)


def test_a_file_that_is_written_piece_by_piece_is_taken_whole_or_not_at_all(tmp_path: Path) -> None:
    """Each piece alone would be valid, and say less than the whole."""
    names = [f"n{number}.test" for number in range(40)]

    async def tell(bench: Bench) -> None:
        with bench.path.open("w") as file:
            file.write('[profiles.dev.network]\ndefault = "allow"\n')
            for name in names:
                file.write(f'[[profiles.dev.network.rules]]\nhost = "{name}"\nverdict = "deny"\n')
                file.flush()
                await asyncio.sleep(0.002)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while bench.in_force.current.rule_count != len(names):
                assert bench.denied == {"old.test"}
                await asyncio.sleep(0.001)

    # Between two pieces a busy machine may take longer than a watch that is in a hurry.
    story(tmp_path / "config.toml", tell, settle_seconds=0.5)


def test_a_hundred_thousand_rules_are_compiled_beside_the_loop(tmp_path: Path) -> None:
    rules = "\n".join(f'"h{number}.example{number % 977}.org",' for number in range(100_000))
    many = f'[profiles.dev.network]\ndefault = "allow"\ndeny = [\n{rules}\n]\n'

    async def tell(bench: Bench) -> None:
        await asyncio.to_thread(bench.put, many)
        async with asyncio.timeout(60):
            while bench.in_force.current.rule_count != 100_000:
                await asyncio.sleep(0.01)
        there = to("h5.example5.org:443")
        assert bench.in_force.judge(there, "CONNECT", Memory()).rule is not None
        bench.put(NEW)  # and gone again: what was compiled is thrown away
        await bench.becomes({"new.test"})

    assert story(tmp_path / "config.toml", tell) < STALL_SECONDS
