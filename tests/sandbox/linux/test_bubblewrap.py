"""The plan as arguments, and bwrap's complaints as causes and fixes."""

from __future__ import annotations

import pytest

from sandbox.linux.bubblewrap import Descriptors, arguments
from sandbox.plan import Access, Mount, Plan

PLAN = Plan(
    identities={},
    mounts=(
        Mount(Access.READ, "/"),
        Mount(Access.DEVICES, "/dev"),
        Mount(Access.PROCESSES, "/proc"),
        Mount(Access.PRIVATE, "/tmp"),
        Mount(Access.OWNED, "/etc/x.conf"),
        Mount(Access.WRITE, "/w"),
        Mount(Access.HIDDEN, "/state"),
        Mount(Access.SPARSE, "/keys"),
        Mount(Access.UNREADABLE, "/keys/.netrc"),
        Mount(Access.SEALED, "/keys"),
    ),
    working_directory="/w",
)
DESCRIPTORS = Descriptors(info=5, block=6, filter=7, owned={"/etc/x.conf": 8})
WORDS = arguments(PLAN, DESCRIPTORS)


@pytest.mark.parametrize(
    "flag",
    ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"],
)
def test_the_fence_is_always_whole(flag: str) -> None:
    assert flag in WORDS


def test_every_capability_is_dropped() -> None:
    assert WORDS[WORDS.index("--cap-drop") + 1] == "ALL"


def test_mounts_keep_the_plans_order() -> None:
    text = " ".join(WORDS)
    assert (
        text.index("--ro-bind / /")
        < text.index("--tmpfs /tmp")
        < text.index("--bind /w /w")
        < text.index("--tmpfs /state")
    )


def test_a_hidden_folder_can_be_neither_listed_nor_written() -> None:
    assert "--perms 0000 --tmpfs /state --remount-ro /state" in " ".join(WORDS)


def test_a_sparse_folder_is_sealed_once_everything_is_in_it() -> None:
    assert " ".join(WORDS).endswith(
        "--perms 0111 --tmpfs /keys --ro-bind /dev/null /keys/.netrc --remount-ro /keys"
        " --chdir /w --"
    )


def test_an_empty_root_is_what_bwrap_starts_from() -> None:
    mounts = (
        Mount(Access.SPARSE, "/"),
        Mount(Access.LINK, "/bin", "/usr/bin"),
        Mount(Access.SEALED, "/"),
    )
    made = Plan(mounts=mounts, working_directory="/", identities={})
    text = " ".join(arguments(made, DESCRIPTORS))
    assert text.endswith("--seccomp 7 --symlink /usr/bin /bin --remount-ro / --chdir / --")


def test_an_owned_file_is_a_copy_that_nobody_else_may_write() -> None:
    assert "--perms 0644 --ro-bind-data 8 /etc/x.conf" in " ".join(WORDS)
    assert DESCRIPTORS.all() == (5, 6, 7, 8)


def test_the_command_comes_after_everything() -> None:
    assert WORDS[-3:] == ["--chdir", "/w", "--"]


def test_the_directory_as_the_caller_spells_it() -> None:
    words = arguments(PLAN, DESCRIPTORS, directory="/link")
    assert words[-2] == "/link"
