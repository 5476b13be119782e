"""The helper that enters a finished sandbox: what it checks before the command may run."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from typing import TYPE_CHECKING

import pytest

from sandbox.errors import FenceUnavailable, LaunchFailed
from sandbox.host import find_bwrap, program_paths
from sandbox.launch import Launch
from sandbox.model import Identity, Right, Rule, SandboxSpec
from sandbox.plan import make_plan
from sandbox.process import Fence
from sandbox.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.launch import Listeners


@pytest.fixture
def bwrap() -> str:
    try:
        return find_bwrap("")
    except FenceUnavailable as missing:
        pytest.skip(str(missing))


class Built:
    """A fence with its listeners, up to the moment at which the command would run."""

    def __init__(
        self,
        bwrap: str,
        folder: Path,
        identity: Identity,
        kept: str = "",
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        """`kept` is read-only in the folder; `meanwhile` comes before anything is mounted."""
        rules = [Rule(right=Right.READ, path=f"{folder}/{kept}")] if kept else []
        plan = make_plan(
            SandboxSpec(
                working_directory=str(folder),
                rules=(
                    Rule(right=Right.READ, path="/"),
                    Rule(right=Right.PRIVATE, path="/tmp"),
                    Rule(right=Right.WRITE, path=str(folder)),
                    *rules,
                ),
                program=program_paths(sys.path),
                identities={str(folder): identity},
            )
        )
        meanwhile()
        self.fence = Fence(
            Launch(
                command=("true",),
                environment={"PATH": os.defpath},
                directory=str(folder),
                streams=Streams(terminals=(), path=None),
                plan=plan,
                machine=platform.machine(),
            ),
            bwrap=bwrap,
        )
        self.listeners: Listeners = self.fence.listeners()

    async def run(self) -> int:
        """The command's status."""
        self.fence.prove(self.listeners)
        command = await self.fence.release()
        ending = await command.ended
        await command.finish(kill=True)
        return ending.status

    def close(self) -> None:
        self.listeners.close()


@pytest.fixture
def folder(base: Path) -> Path:
    made = base / "folder"
    made.mkdir()
    return made


def test_the_folder_that_was_meant_is_taken(bwrap: str, folder: Path) -> None:
    found = folder.stat()
    built = Built(bwrap, folder, (found.st_dev, found.st_ino))
    try:
        assert asyncio.run(built.run()) == 0
    finally:
        built.close()


def test_another_folder_at_its_place_is_not(bwrap: str, folder: Path) -> None:
    """Another run could turn a name into a link just before bwrap follows it."""
    found = folder.stat()
    built = Built(bwrap, folder, (found.st_dev, found.st_ino + 1))
    try:
        with pytest.raises(LaunchFailed, match="replaced"):
            asyncio.run(built.run())
    finally:
        built.fence.abandon()
        built.close()


@pytest.mark.parametrize("is_turned", [False, True])
def test_nor_is_one_below_it(bwrap: str, folder: Path, *, is_turned: bool) -> None:
    """The command of another run made all of this, and may exchange it at any time."""
    for name in ("folder/sub", "elsewhere"):
        (folder.parent / name / "kept").mkdir(parents=True)
    found = folder.stat()

    def turn() -> None:
        if is_turned:
            (folder / "sub").rename(folder / "away")
            (folder / "sub").symlink_to("../elsewhere")

    built = Built(bwrap, folder, (found.st_dev, found.st_ino), "sub/kept", turn)
    try:
        if is_turned:
            with pytest.raises(LaunchFailed, match="replaced"):
                asyncio.run(built.run())
            built.fence.abandon()
        else:
            assert asyncio.run(built.run()) == 0
    finally:
        built.close()


def test_the_listeners_are_on_the_sandboxs_own_loopback(bwrap: str, folder: Path) -> None:
    found = folder.stat()
    built = Built(bwrap, folder, (found.st_dev, found.st_ino))
    try:
        assert built.listeners.addresses().http == "127.0.0.1:3128"
    finally:
        built.fence.abandon()
        built.close()
