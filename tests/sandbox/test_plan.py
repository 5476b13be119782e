"""The order of mounts is the argument: a later line wins."""

from __future__ import annotations

import pytest

from sandbox.errors import PlanRefused
from sandbox.model import SandboxSpec
from sandbox.plan import Access, Plan, make_plan


def plan(
    directory: str = "/home/ada/project",
    *,
    home: str = "/home/ada",
    writable: tuple[str, ...] = (),
    hidden: tuple[str, ...] = (),
    protected: tuple[str, ...] = (),
) -> Plan:
    return make_plan(
        SandboxSpec(
            working_directory=directory,
            home=home,
            writable=writable,
            hidden=hidden,
            protected=protected,
        )
    )


def access(made: Plan, path: str) -> Access:
    """What the plan finally says of `path`: the last mount at or above it."""
    matching = [
        m for m in made.mounts if path == m.path or path.startswith(m.path.rstrip("/") + "/")
    ]
    return matching[-1].access


def test_everything_is_read_only_but_the_working_directory_and_tmp() -> None:
    made = plan()
    assert access(made, "/etc/passwd") is Access.READ
    assert access(made, "/home/ada/.bashrc") is Access.READ
    assert access(made, "/home/ada/project/file") is Access.WRITE
    assert access(made, "/tmp/file") is Access.PRIVATE


@pytest.mark.parametrize(
    "directory", ["/", "/home", "/home/ada"], ids=["root", "above home", "home"]
)
def test_the_home_folder_and_what_is_above_stays_read_only(directory: str) -> None:
    assert access(plan(directory), "/home/ada/.bashrc") is Access.READ


def test_write_opens_what_it_names() -> None:
    made = plan("/home/ada", writable=("/home/ada/cache",))
    assert access(made, "/home/ada/cache/x") is Access.WRITE
    assert access(made, "/home/ada/other") is Access.READ


def test_write_may_open_the_home_folder_itself() -> None:
    assert access(plan("/home/ada", writable=("/home/ada",)), "/home/ada/x") is Access.WRITE


def test_hidden_wins_over_every_writable_root() -> None:
    made = plan(
        "/home/ada/project", writable=("/home/ada",), hidden=("/home/ada/.config/netproxy",)
    )
    assert access(made, "/home/ada/.config/netproxy/config.toml") is Access.HIDDEN
    assert made.mounts[-1].access is Access.HIDDEN


def test_our_program_stays_read_only_inside_a_writable_root() -> None:
    made = plan("/home/ada/project", protected=("/home/ada/project/.venv", "/opt/netproxy"))
    assert access(made, "/home/ada/project/.venv/bin/python") is Access.READ
    assert "/opt/netproxy" not in [mount.path for mount in made.mounts], "it is read-only anyway"


def test_our_program_is_there_although_tmp_is_private() -> None:
    assert access(plan(protected=("/tmp/clone/.venv",)), "/tmp/clone/.venv/bin") is Access.READ


def test_a_working_directory_below_tmp_is_the_real_one() -> None:
    assert access(plan("/tmp/clone"), "/tmp/clone/file") is Access.WRITE


def test_a_read_only_home_below_tmp_still_exists_inside() -> None:
    assert access(plan("/tmp/home", home="/tmp/home"), "/tmp/home/x") is Access.READ


@pytest.mark.parametrize("path", ["/state", "/state/below"])
def test_nothing_can_be_opened_inside_a_hidden_folder(path: str) -> None:
    with pytest.raises(PlanRefused, match="hidden"):
        plan(writable=(path,), hidden=("/state",))
    with pytest.raises(PlanRefused, match="hidden"):
        plan(path, hidden=("/state",))


def test_parents_come_first_so_that_no_mount_covers_an_earlier_one() -> None:
    made = plan("/w/a/b", writable=("/w", "/w/a"))
    paths = [mount.path for mount in made.mounts if mount.access is Access.WRITE]
    assert paths == ["/w", "/w/a", "/w/a/b"]


def test_the_plan_prints_itself_for_people_and_the_journal() -> None:
    assert "write /home/ada/project" in plan().lines()


def test_a_hidden_folder_in_a_hidden_folder_is_not_mounted_again() -> None:
    made = plan(hidden=("/state", "/state/audit", "/state-too"))
    hidden = [mount.path for mount in made.mounts if mount.access is Access.HIDDEN]
    assert hidden == ["/state", "/state-too"]


def test_the_whole_disk_is_never_writable() -> None:
    with pytest.raises(PlanRefused, match="whole disk"):
        plan(writable=("/",))
