"""What is found by a look: all of a change, or why none of it can be used."""

from __future__ import annotations

import gc
import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from netproxy.app.approval_settings import ApprovalSettings
from netproxy.app.cli.run_options import parse_run
from netproxy.app.file_watch import EMPTY, MISSING, NOT_A_FILE, FileWatch, State, content_state
from netproxy.app.layer_files import Source
from netproxy.app.reread import Held, Moved, Rejected, Renewed, Reread, Settled, changes
from netproxy.app.settings import Settings, load_settings
from netproxy.errors import InvalidSettings
from netproxy.model import OnDenial, Verdict
from netproxy.policy.blocks import Blocks, parse_block
from netproxy.policy.engine import NO_HOST, Host
from netproxy.policy.origin import Layer
from netproxy.policy.spec import Mode
from tests.support.policies import Memory, allow, deny, policy, to

FILE, OTHER = Path("/etc/ours/config.toml"), Path("/etc/ours/requirements.toml")
BESIDE = Path("/var/ours/trust.json")
NOW = 1_000.0
ONE = allow("one.test:443")


def state(text: str) -> State:
    return content_state(hashlib.sha256(text.encode()).hexdigest())


def source(path: Path, text: str) -> Source:
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    return Source(path=path, layer=Layer.USER, sha256=sha256)


def settings(tmp_path: Path) -> Settings:
    environ = {"HOME": str(tmp_path)}
    usual = load_settings(
        parse_run(["--", "true"]), environ, managed_file=tmp_path / "absent", directory=tmp_path
    )
    spec = replace(usual.spec, rules=(ONE,), default=Verdict.DENY)
    return replace(usual, spec=spec, sources=(source(FILE, "one"),))


class World(FileWatch):
    """Files, settings, clock and addresses that a test changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.states = {FILE: state("one"), OTHER: MISSING, BESIDE: state("trust")}
        self.growing = False  # every look finds something else
        self.settings = settings(folder)
        self.problem: Exception | None = None
        self.loads = 0
        self.now = NOW
        self.host = NO_HOST
        self.unmade: set[Path] = set()
        self.held = Held(
            settings=self.settings,
            policy=self.settings.policy(now=NOW),
            digest=self.settings.policy(now=NOW).digest,
            states=dict(self.states),
        )

    def look(self, *, thorough: bool = False) -> dict[Path, State]:
        if self.growing:
            self.states[FILE] = state(self.states[FILE])
        return dict(self.states)

    def load(self) -> Settings:
        self.loads += 1
        if self.problem is not None:
            raise self.problem
        return self.settings

    def own_host(self) -> Host:
        return self.host

    def finds(self, *, thorough: bool = False, waiting: Renewed | None = None) -> object:
        reread = Reread(
            self,
            self.load,
            self.own_host,
            beside=[BESIDE],
            unmade=self.unmade,
            now=lambda: self.now,
            settle_seconds=0,
        )
        return reread.look(self.held, waiting, thorough=thorough)

    def change(self, *rules: str, **changed: object) -> None:
        """The file holds other rules now."""
        text = f"{rules}{changed}"
        self.states[FILE] = state(text)
        spec = replace(self.settings.spec, rules=tuple(deny(rule) for rule in rules))
        everything = {"spec": spec, "sources": (source(FILE, text),), **changed}
        self.settings = replace(self.settings, **everything)  # type: ignore[arg-type]  # any of its fields


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_nothing_changed_and_nothing_is_read(world: World) -> None:
    assert world.finds() is None
    assert world.finds(thorough=True) is None
    assert world.loads == 0


def test_a_change_is_compiled_and_described(world: World) -> None:
    world.change("two.test")
    found = world.finds()
    assert isinstance(found, Renewed)
    assert found.held.policy.judge(to("two.test:443"), "CONNECT", Memory()).rule is not None
    event = found.event
    assert (event.source, event.digest, event.previous_digest) == (
        "files", found.held.digest, world.held.digest,
    )  # fmt: skip
    assert found.held.digest == found.held.policy.digest != world.held.digest
    assert event.summary == ("- allow one.test:443", "+ deny two.test")
    assert event.files == (f"{FILE} {world.states[FILE]}",)
    assert found.held.states == world.states
    assert found.late == ()


def test_half_a_file_is_not_read(world: World) -> None:
    world.change("two.test")
    world.growing = True
    assert world.finds() is None
    assert world.loads == 0
    world.growing = False
    world.change("two.test")
    assert isinstance(world.finds(thorough=True), Renewed), "somebody said that it is whole"


def test_what_changed_while_it_was_read_is_not_taken(world: World) -> None:
    world.change("two.test")
    world.states[FILE] = state("already something else")
    assert world.finds() is None
    assert world.loads == 1


def test_a_comment_is_a_change_too_and_on_record(world: World) -> None:
    """Whoever compares the file with the record finds which content was in force."""
    world.states[FILE] = state("one # comment")
    world.settings = replace(world.settings, sources=(source(FILE, "one # comment"),))
    found = world.finds()
    assert isinstance(found, Renewed)
    assert found.event.digest == found.event.previous_digest
    assert found.event.summary == ()


def test_a_file_that_decides_which_settings_count_is_no_settings_itself(world: World) -> None:
    world.states[BESIDE] = state("another project is trusted")
    found = world.finds()
    assert isinstance(found, Settled)
    assert world.loads == 1
    world.held = found.held
    assert world.finds() is None
    world.states[BESIDE] = MISSING
    assert isinstance(world.finds(), Settled)


def test_only_the_files_of_the_start_are_read(world: World) -> None:
    """And all of them: what another file would add or take away counts at the next start."""
    before = world.settings
    world.states[FILE] = state("two")
    new = Path("/home/me/.config/netproxy/config.toml")
    world.settings = replace(before, sources=(source(FILE, "two"), source(new, "x")))
    found = world.finds()
    assert isinstance(found, Rejected)
    assert found.event.errors == (
        f"{new}: was not there at the start, so it counts at the next one",
    )
    world.settings = replace(before, sources=())
    found = world.finds()
    assert isinstance(found, Rejected)
    assert found.event.errors == (
        f"{FILE}: is not trusted any more; it counts until the next start",
    )


def test_a_file_that_we_made_is_read_and_one_that_just_appears_is_not(world: World) -> None:
    """The command may have made the other one."""
    world.unmade.add(OTHER)
    world.states[OTHER] = state("x")
    assert world.finds() is None
    assert world.loads == 0
    world.change("two.test")
    world.settings = replace(world.settings, sources=(*world.settings.sources, source(OTHER, "x")))
    refused = world.finds()
    assert isinstance(refused, Rejected)
    assert refused.event.errors == (
        f"{OTHER}: was not there at the start, so it counts at the next one",
    )
    world.unmade.clear()
    assert isinstance(world.finds(), Renewed)


def test_all_problems_of_one_content_are_told_and_the_same_is_not_read_again(world: World) -> None:
    world.change("two.test")
    world.problem = InvalidSettings(tuple(f"config.toml:{line}:1 is wrong" for line in range(30)))
    found = world.finds()
    assert isinstance(found, Rejected)
    assert (found.event.error_type, found.event.digest) == ("invalid", world.held.digest)
    assert len(found.event.errors) == 20
    assert f"{FILE} {world.states[FILE]}" in found.event.files

    world.held = replace(world.held, rejected=found.states)
    assert world.finds() is None
    assert world.loads == 1
    assert isinstance(world.finds(thorough=True), Rejected), "asked for once more, it is read"


def test_a_defect_in_reading_is_a_rejection(world: World) -> None:
    world.change("two.test")
    world.problem = RecursionError("too deep")
    found = world.finds()
    assert isinstance(found, Rejected)
    assert found.event.error_type == "RecursionError"


@pytest.mark.parametrize(
    ("now", "word", "says"),
    [
        (MISSING, "missing", "is gone"),
        (EMPTY, "empty", "is empty"),
        (NOT_A_FILE, "not_a_file", "is not a regular file"),
        (State("EACCES"), "EACCES", "may no longer be read"),
        (State("EIO"), "EIO", "EIO"),
    ],
)
def test_a_file_that_is_no_file_any_more_is_a_rejection(
    world: World, now: State, word: str, says: str
) -> None:
    world.states[FILE] = now
    found = world.finds()
    assert isinstance(found, Rejected)
    assert (found.event.error_type, found.event.errors) == (word, (f"{FILE}: {says}",))
    assert world.loads == 0


def test_what_is_put_back_is_as_it_was(world: World) -> None:
    before = dict(world.states)
    world.states[FILE] = MISSING
    found = world.finds()
    assert isinstance(found, Rejected)
    world.held = replace(world.held, rejected=found.states)
    world.states = before
    found = world.finds()
    assert isinstance(found, Settled)
    assert found.held.rejected is None


def test_a_managed_file_that_appears_is_read_and_may_not_vanish_again(world: World) -> None:
    world.states[OTHER] = state("bounds")
    world.settings = replace(
        world.settings, sources=(source(OTHER, "bounds"), *world.settings.sources)
    )
    found = world.finds()
    assert isinstance(found, Renewed)
    world.held = found.held
    world.states[OTHER] = MISSING
    assert isinstance(world.finds(), Rejected)


def test_what_waits_to_be_recorded_is_not_read_again(world: World) -> None:
    world.change("two.test")
    waiting = world.finds()
    assert isinstance(waiting, Renewed)
    assert world.finds(waiting=waiting) is waiting
    assert world.loads == 1
    world.change("three.test")
    assert world.finds(waiting=waiting) is not waiting


@pytest.mark.parametrize("rejected", [False, True])
def test_a_rule_expires_by_the_wall_clock_whatever_the_files_hold(
    world: World, rejected: bool
) -> None:
    spec = replace(world.settings.spec, rules=(replace(ONE, expires_at=NOW + 60),))
    world.settings = replace(world.settings, spec=spec)
    world.held = replace(world.held, settings=world.settings, policy=world.settings.policy(now=NOW))
    if rejected:
        world.states[FILE] = MISSING
        world.held = replace(world.held, rejected=dict(world.states))
    assert world.finds() is None
    world.now = NOW + 8 * 3600  # the machine slept
    found = world.finds()
    assert isinstance(found, Renewed)
    assert found.event.source == "expiry"
    assert found.event.summary == ("- allow one.test:443 until 1060.0",)
    assert found.held.policy.allow_rule(to("one.test:443")) is None
    assert found.held.states == world.held.states
    assert found.held.rejected == world.held.rejected
    world.held = found.held
    assert world.finds() is None
    assert world.loads == 0


def test_this_hosts_addresses_are_followed(world: World) -> None:
    world.host = Host(addresses=Blocks([parse_block("93.184.216.34")]))
    found = world.finds()
    assert isinstance(found, Moved)
    assert found.held.policy.is_local("93.184.216.34")
    world.held = found.held
    assert world.finds() is None
    world.host = NO_HOST
    assert world.finds() is None, "the addresses from before hold on"
    world.change("two.test")
    renewed = world.finds()
    assert isinstance(renewed, Renewed)
    assert renewed.held.policy.is_local("93.184.216.34")


def test_what_takes_effect_at_the_next_start_is_named_as_the_file_does(world: World) -> None:
    world.change(
        "two.test", approvals=ApprovalSettings(), audit_directory=Path("/elsewhere"), profile="x"
    )
    found = world.finds()
    assert isinstance(found, Renewed)
    assert found.late == ("approvals", "audit.directory")


def test_the_interpreter_is_given_back_as_it_was(world: World) -> None:
    world.change("two.test")
    before = (gc.isenabled(), sys.getswitchinterval())
    world.problem = InvalidSettings(("wrong",))
    world.finds()
    assert (gc.isenabled(), sys.getswitchinterval()) == before


def test_a_change_of_anything_that_decides_is_described() -> None:
    before = policy(allow("a.test"), allow("b.test")).spec
    after = policy(
        allow("b.test"),
        deny("c.test"),
        default=Verdict.ASK,
        mode=Mode.LIMITED,
        on_denial=OnDenial.BLOCK,
        allow_private=["10.0.0.0/8"],
        ceiling=(allow("b.test"),),
    ).spec
    assert changes(before, after) == (
        "- default deny",
        "- mode full",
        "- on_denial cancel",
        "- allow a.test",
        "+ default ask",
        "+ mode limited",
        "+ on_denial block",
        "+ allow_private 10.0.0.0/8",
        "+ ceiling b.test",
        "+ deny c.test",
    )
    assert changes(after, after) == ()


def test_a_long_change_is_cut() -> None:
    after = policy(*(allow(f"h{number}.test") for number in range(60))).spec
    told = changes(policy().spec, after)
    assert len(told) == 50
    assert told[-1] == "and 11 more"
