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
    links: tuple[str, ...] = (),
) -> Plan:
    return make_plan(
        SandboxSpec(
            working_directory=directory,
            home=home,
            writable=writable,
            hidden=hidden,
            protected=protected,
            links=links,
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


def test_the_plan_knows_which_folders_of_the_host_it_opens() -> None:
    made = plan(writable=("/var/cache/x",))
    assert set(made.writable()) == {"/home/ada/project", "/var/cache/x"}


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


def test_every_folder_above_one_of_ours_is_a_mount_point_of_its_own() -> None:
    """What is a mount point can't be renamed; what only holds one can."""
    made = plan(
        "/w", hidden=("/w/a/b/netproxy", "/elsewhere/netproxy"), protected=("/w/c/d/policy.toml",)
    )
    lines = made.lines()
    assert [line for line in lines if line.startswith("write ")] == [
        "write /w",
        "write /w/a",
        "write /w/c",
        "write /w/a/b",
        "write /w/c/d",
    ]
    assert access(made, "/w/a/b/netproxy") is Access.HIDDEN
    assert access(made, "/w/c/d/policy.toml") is Access.READ


def test_a_folder_above_one_of_ours_stays_closed_inside_a_closed_one() -> None:
    made = plan("/w", protected=("/w/venv",), hidden=("/w/venv/state/netproxy",))
    assert access(made, "/w/venv/state/x") is Access.READ


def test_a_link_that_the_command_could_turn_is_refused() -> None:
    with pytest.raises(PlanRefused, match="/w/link"):
        plan("/w", links=("/w/link",))


@pytest.mark.parametrize("link", ["/home/ada/.config", "/w/venv/bin/python"])
def test_a_link_that_it_can_not_turn_is_none_of_our_business(link: str) -> None:
    plan("/w", links=(link,), protected=("/w/venv",))


@pytest.mark.parametrize("path", ["/proc", "/proc/self", "/sys/fs/cgroup", "/dev", "/dev/shm"])
def test_what_belongs_to_the_kernel_is_no_folder_to_work_in(path: str) -> None:
    with pytest.raises(PlanRefused, match="kernel"):
        plan("/w", writable=(path,))
    with pytest.raises(PlanRefused, match="kernel"):
        plan(path)


def test_a_folder_in_shared_memory_is_a_folder_like_others() -> None:
    assert access(plan("/dev/shm/build"), "/dev/shm/build/x") is Access.WRITE
