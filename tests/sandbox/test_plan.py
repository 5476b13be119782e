"""The order of mounts is the argument: a later line wins."""

from __future__ import annotations

import pytest

from sandbox.errors import PlanRefused
from sandbox.model import Part, Right, Rule, SandboxSpec
from sandbox.plan import Access, Mount, Plan, make_plan

USUAL = (Rule(right=Right.READ, path="/"), Rule(right=Right.PRIVATE, path="/tmp"))


def rule(right: str, path: str, layer: int = 0, *, is_file: bool = False) -> Rule:
    return Rule(right=Right(right), path=path, layer=layer, is_file=is_file)


def plan(
    directory: str = "/home/ada/project",
    *rules: Rule,
    writable: tuple[str, ...] | None = None,
    hidden: tuple[str, ...] = (),
    protected: tuple[str, ...] = (),
    program: tuple[str, ...] = (),
    links: tuple[str, ...] = (),
    base: tuple[Rule, ...] = USUAL,
    hosts: str | None = None,
) -> Plan:
    """Of a run in a folder that may be written, unless others are named."""
    opened = (directory,) if writable is None else writable
    return make_plan(
        SandboxSpec(
            working_directory=directory,
            rules=(*base, *(rule("write", path) for path in opened), *rules),
            hidden=hidden,
            hosts=hosts,
            protected=protected,
            program=program,
            links=links,
        )
    )


def access(made: Plan, path: str) -> Access:
    """What the plan finally says of `path`: the last mount at or above it."""
    matching = [
        m
        for m in made.mounts
        if (path == m.path or path.startswith(m.path.rstrip("/") + "/"))
        and m.access is not Access.SEALED
    ]
    return matching[-1].access


def test_everything_is_read_only_but_the_working_directory_and_tmp() -> None:
    made = plan()
    assert access(made, "/etc/passwd") is Access.READ
    assert access(made, "/home/ada/.bashrc") is Access.READ
    assert access(made, "/home/ada/project/file") is Access.WRITE
    assert access(made, "/tmp/file") is Access.PRIVATE


def test_write_opens_what_it_names() -> None:
    made = plan("/home/ada", writable=("/home/ada/cache",))
    assert access(made, "/home/ada/cache/x") is Access.WRITE
    assert access(made, "/home/ada/other") is Access.READ


def test_the_plan_knows_which_folders_of_the_host_it_opens() -> None:
    made = plan(writable=("/home/ada/project", "/var/cache/x"))
    assert set(made.writable()) == {"/home/ada/project", "/var/cache/x"}
    assert made.lets_write("/var/cache/x/y")
    assert not made.lets_write("/var/cache")


def test_a_link_of_the_hosts_is_there_if_it_is_covered_by_nothing() -> None:
    shortcuts = {"/home/ada/keys/link": "/srv"}
    base = (*USUAL, rule("none", "/home/ada/keys"), rule("read", "/srv"))
    made = make_plan(
        SandboxSpec(
            working_directory="/srv",
            rules=(*base, rule("write", "/home/ada/keys/open")),
            shortcuts=shortcuts,
        )
    )
    shown = ("/bin", "/home/ada/project", "/home/ada/keys/open/x", "/home/ada/keys/link")
    assert [path for path in shown if not made.shows_link(path)] == []
    covered = ("/tmp/link", "/home/ada/keys/other", "/proc/self", "/dev/fd")
    assert [path for path in covered if made.shows_link(path)] == []


def test_a_right_to_change_something_is_said_once() -> None:
    """Each repository in a workspace has a mount: orders for all of them would have no end."""
    made = plan("/tmp/work", rule("read", "/tmp/work/.git/hooks"), writable=("/tmp/work", "/srv"))
    assert Mount(Access.WRITE, "/tmp/work/.git") in made.mounts
    assert list(made.changeable()) == ["/dev", "/proc", "/srv", "/tmp"]
    everywhere = plan(base=(rule("write", "/"),))
    assert list(everywhere.changeable()) == ["/"]


def test_write_may_open_the_home_folder_itself() -> None:
    assert access(plan("/home/ada", writable=("/home/ada",)), "/home/ada/x") is Access.WRITE


def test_hidden_wins_over_every_writable_root() -> None:
    made = plan(
        "/home/ada/project", writable=("/home/ada",), hidden=("/home/ada/.config/netproxy",)
    )
    assert access(made, "/home/ada/.config/netproxy/config.toml") is Access.HIDDEN
    assert made.mounts[-1].access is Access.HIDDEN


def test_our_program_stays_read_only_inside_a_writable_root() -> None:
    ours = ("/home/ada/project/.venv", "/opt/netproxy")
    made = plan("/home/ada/project", rule("write", f"{ours[0]}/cache"), program=ours)
    assert access(made, "/home/ada/project/.venv/cache/x") is Access.READ, "whoever opened it"
    assert access(made, "/home/ada/project/.venv/bin/python") is Access.READ
    assert "/opt/netproxy" not in [mount.path for mount in made.mounts], "it is read-only anyway"


def test_our_program_is_there_although_tmp_is_private() -> None:
    assert access(plan(program=("/tmp/clone/.venv",)), "/tmp/clone/.venv/bin") is Access.READ


def test_a_working_directory_below_tmp_is_the_real_one() -> None:
    assert access(plan("/tmp/clone"), "/tmp/clone/file") is Access.WRITE


def test_a_read_only_home_below_tmp_still_exists_inside() -> None:
    assert access(plan("/tmp/home", writable=()), "/tmp/home/x") is Access.READ


def test_nor_does_it_cover_what_is_closed_in_it() -> None:
    own = "/tmp/home/.local/state/netproxy"
    made = plan("/tmp/home", rule("none", "/tmp/home/.ssh"), writable=(), hidden=(own,))
    for closed in (own, "/tmp/home/.ssh"):
        assert access(made, f"{closed}/x") is Access.HIDDEN
        lines = made.lines()
        assert lines.index("read /tmp/home") < lines.index(f"hidden {closed}")


def test_a_policy_file_in_a_hidden_folder_is_not_opened_for_being_protected() -> None:
    made = plan("/w", hidden=("/etc/netproxy",), protected=("/etc/netproxy/requirements.toml",))
    said = [line for line in made.lines() if "/etc/netproxy" in line]
    assert said == ["hidden /etc/netproxy"]


def test_what_is_hidden_in_our_program_stays_hidden() -> None:
    made = plan("/w", rule("none", "/opt/venv/secrets"), program=("/opt/venv",))
    assert access(made, "/opt/venv/secrets/key") is Access.HIDDEN


def test_a_copy_of_the_hosts_file_stands_in_for_it_unless_that_is_hidden() -> None:
    assert plan("/w", hosts="/etc/hosts").lines()[-1] == "hosts /etc/hosts"
    assert "hosts /etc/hosts" not in plan("/w", hosts="/etc/hosts", hidden=("/etc",)).lines()


@pytest.mark.parametrize("path", ["/state", "/state/below"])
def test_nothing_can_be_opened_inside_a_hidden_folder(path: str) -> None:
    with pytest.raises(PlanRefused, match="hidden"):
        plan(writable=(path,), hidden=("/state",))
    with pytest.raises(PlanRefused, match="hidden"):
        plan(path, writable=(), hidden=("/state",))


def test_parents_come_first_so_that_no_mount_covers_an_earlier_one() -> None:
    made = plan("/w/a/b", writable=("/w", "/w/a", "/w/a/b"))
    paths = [mount.path for mount in made.mounts if mount.access is Access.WRITE]
    assert paths == ["/w", "/w/a", "/w/a/b"]


def test_the_plan_prints_itself_for_people_and_the_journal() -> None:
    assert "write /home/ada/project" in plan().lines()


def test_a_hidden_folder_in_a_hidden_folder_is_not_mounted_again() -> None:
    made = plan(hidden=("/state", "/state/audit", "/state-too"))
    hidden = [mount.path for mount in made.mounts if mount.access is Access.HIDDEN]
    assert hidden == ["/state", "/state-too"]


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
        plan(path, writable=())


def test_a_folder_in_shared_memory_is_a_folder_like_others() -> None:
    assert access(plan("/dev/shm/build"), "/dev/shm/build/x") is Access.WRITE


@pytest.mark.parametrize(
    ("first", "second", "wins"),
    [
        (rule("write", "/w/x"), rule("read", "/w/x"), Access.READ),
        (rule("read", "/w/x"), rule("none", "/w/x"), Access.HIDDEN),
        (rule("none", "/w/x"), rule("write", "/w/x"), Access.HIDDEN),
        (rule("none", "/w/x"), rule("write", "/w/x", 1), Access.WRITE),
        (rule("none", "/w/x"), rule("read", "/w/x", 1), Access.READ),
        (rule("write", "/w/x", 2), rule("none", "/w/x", 1), Access.WRITE),
        (rule("private", "/w/x"), rule("write", "/w/x", 1), Access.WRITE),
    ],
)
def test_at_one_path_the_later_layer_wins_and_then_the_stricter_right(
    first: Rule, second: Rule, wins: Access
) -> None:
    for rules in ((first, second), (second, first)):
        assert access(plan("/w", *rules), "/w/x/y") is wins


def test_the_longest_path_wins_whatever_layer_it_is_of() -> None:
    made = plan("/w", rule("read", "/w/a", 3), rule("write", "/w/a/b"), rule("none", "/w/a/b/c"))
    assert access(made, "/w/a/x") is Access.READ
    assert access(made, "/w/a/b/x") is Access.WRITE
    assert access(made, "/w/a/b/c/x") is Access.HIDDEN


def test_what_is_open_in_a_hidden_folder_is_reached_by_name_only() -> None:
    made = plan("/w", rule("none", "/keys"), rule("read", "/keys/a/known"), rule("none", "/keys/b"))
    lines = made.lines()
    assert lines.index("sparse /keys") < lines.index("read /keys/a/known")
    assert lines[-1] == "sealed /keys", "once everything is in it"
    assert "hidden /keys/b" not in lines, "what isn't there needs no cover"


def test_a_hidden_file_is_one_that_can_not_be_opened() -> None:
    made = plan("/w", rule("none", "/w/sub/.env", is_file=True), rule("none", "/keys"))
    assert access(made, "/w/sub/.env") is Access.UNREADABLE
    assert access(made, "/w/sub") is Access.WRITE
    assert "write /w/sub" in made.lines(), "and its folder can't be moved away"


def test_our_program_is_readable_in_what_somebody_hides() -> None:
    made = plan("/w", rule("none", "/opt"), program=("/opt/netproxy",), protected=("/opt/p.toml",))
    assert access(made, "/opt/netproxy/bin") is Access.READ
    assert access(made, "/opt/p.toml") is Access.SPARSE, "which nobody has to open inside"


def test_a_hidden_folder_of_ours_needs_no_second_cover() -> None:
    made = plan("/w", rule("none", "/run/user/7"), hidden=("/run/user/7/netproxy",))
    assert "hidden /run/user/7" in made.lines()
    assert "hidden /run/user/7/netproxy" not in made.lines()


def test_without_a_rule_nothing_is_seen() -> None:
    made = make_plan(
        SandboxSpec(
            working_directory="/w",
            rules=(rule("write", "/w"), rule("read", "/usr")),
            program=("/opt/netproxy",),
            shortcuts={"/bin": "/usr/bin", "/w/link": "/usr"},
            owned=("/etc/ssh/x.conf",),
        )
    )
    lines = made.lines()
    assert lines[0] == "sparse /"
    assert lines[-1] == "sealed /"
    assert "link /bin -> /usr/bin" in lines
    assert "read /opt/netproxy" in lines
    assert [line for line in lines if "/w/link" in line or "x.conf" in line] == []


def test_a_hidden_working_directory_is_refused() -> None:
    with pytest.raises(PlanRefused, match="working directory"):
        plan("/w", rule("none", "/w", 1))


def test_the_whole_disk_may_be_writable_but_for_what_is_ours_and_the_kernels() -> None:
    made = plan(
        "/w",
        base=(rule("write", "/"), rule("read", "/usr")),
        writable=(),
        hidden=("/home/ada/.local/state/netproxy",),
    )
    assert access(made, "/home/ada/.bashrc") is Access.WRITE
    assert access(made, "/sys/kernel") is Access.READ
    assert not made.lets_write("/usr/bin/bwrap")
    assert access(made, "/home/ada/.local/state/netproxy/x") is Access.HIDDEN
    assert "write /home/ada/.local" in made.lines(), "or it could be moved"


def test_what_is_missing_is_made_where_it_could_be_created() -> None:
    made = make_plan(
        SandboxSpec(
            working_directory="/w",
            rules=(*USUAL, rule("write", "/w"), rule("read", "/w/kept")),
            missing=(Part("/w/.vscode"), Part("/w/kept/.vscode"), Part("/w/.git/commondir", b".")),
            notes=("one",),
        )
    )
    assert [part.path for part in made.missing] == ["/w/.vscode", "/w/.git/commondir"]
    assert {"read /w/.vscode", "write /w/.git", "read /w/.git/commondir"} <= set(made.lines())
    assert made.notes == ("one",)


def test_what_bwrap_can_not_take_is_mounted_later_if_it_opens_nothing() -> None:
    """A read-only place with something in it, and what is hidden, are not left for later."""
    rules = [
        rule("none", "/w/z/hidden"),
        rule("read", "/w/z/kept"),
        rule("read", "/w/z/holds"),
        rule("write", "/w/z/holds/open"),
        rule("none", "/w/z/holds/open/x/y"),
        rule("read", "/tmp/z/kept"),
        rule("write", "/srv/z/opened"),
    ]
    made = make_plan(
        SandboxSpec(
            working_directory="/w",
            rules=(*USUAL, rule("write", "/w"), *rules),
            identities={"/w": (1, 2), "/w/z/holds/open": (1, 3)},
        )
    )
    assert made.divided(100) == (made.mounts, ())
    early, late = made.divided(4)
    assert [str(mount) for mount in late] == [
        "write /w/z",
        "read /w/z/kept",
        "write /w/z/holds/open/x",
    ]
    assert early == tuple(mount for mount in made.mounts if mount not in late)


def test_a_long_plan_is_counted_for_the_record() -> None:
    made = plan("/w", *(rule("read", f"/w/{number}") for number in range(9)))
    assert made.summary() == made.lines()
    assert made.summary(6) == (*made.lines()[:6], "and 8 more: 8 read")


def test_files_that_must_seem_our_own_are_copied_where_they_are_seen() -> None:
    spec = SandboxSpec(working_directory="/w", rules=USUAL, owned=("/etc/ssh/x.conf",))
    assert make_plan(spec).mounts[-1].access is Access.OWNED


def test_what_a_mount_keeps_closed_would_open_without_it() -> None:
    """Somebody outside may take a mount away: what holds around it holds there, too, then."""
    plan = Plan(
        mounts=(
            Mount(Access.READ, "/"),
            Mount(Access.HIDDEN, "/keys"),
            Mount(Access.READ, "/srv"),
            Mount(Access.WRITE, "/work"),
            Mount(Access.READ, "/work/.git/config"),
            Mount(Access.UNREADABLE, "/work/.env"),
            Mount(Access.SPARSE, "/home"),
            Mount(Access.HIDDEN, "/home/more"),
            Mount(Access.LINK, "/home/link", "/elsewhere"),
            Mount(Access.SEALED, "/home"),
        ),
        working_directory="/work",
        identities={},
    )
    assert plan.would_open() == {
        "/keys": Access.READ,
        "/work/.git/config": Access.WRITE,
        "/work/.env": Access.WRITE,
        "/home": Access.READ,
    }
