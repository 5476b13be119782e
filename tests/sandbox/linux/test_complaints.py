"""What bwrap says, and what this host says of itself, come to a cause and a line to type."""

from __future__ import annotations

import pytest

from sandbox.linux.complaints import ROWS, explain

APPARMOR = "kernel.apparmor_restrict_unprivileged_userns"
CLONE = "kernel.unprivileged_userns_clone"
MOST = "user.max_user_namespaces"
NEW = "Creating new namespace failed"
LOST = "to mount source on destination: No such file or directory"


@pytest.mark.parametrize(
    ("said", "settings", "cause", "fix"),
    [
        ("setting up uid map: Permission denied", {APPARMOR: "1"}, "AppArmor", "userns=0"),
        ("loopback: Failed RTM_NEWADDR: Operation not permitted", {APPARMOR: "1"}, "AppArmor", ""),
        ("No permissions to create new namespace", {CLONE: "0"}, "unprivileged user", "clone=1"),
        (f"{NEW}: No space left on device", {MOST: "0"}, "limited to 0", "max_user_namespaces="),
        (f"{NEW}: nesting depth (ENOSPC)", {MOST: "15000"}, "too deep", "sysctl user"),
        (f"{NEW}: Operation not permitted", {}, "containers", "on the host"),
        ("No permissions to create new namespace, likely", {}, "containers", "seccomp=unconfined"),
        ("Can't mount proc on /newroot/proc: Operation not permitted", {}, "/proc", "Unmasked"),
        (f"{NEW}: Invalid argument", {"wsl": "1"}, "WSL 1", "--set-version"),
        (f"{NEW}, the kernel does not support user namespaces.", {}, "CONFIG_USER_NS", "kernel"),
        ("Unknown option --disable-userns", {APPARMOR: "1"}, "0.8", "upgrade"),
        ("--userns2 doesn't work in setuid mode", {}, "setuid", "chmod u-s"),
        ("Exceeded maximum number of arguments 9000", {}, "9,000", "fewer"),
        ("Can't chdir to /x: Permission denied", {APPARMOR: "1"}, "working directory", "start in"),
        (f"{NEW}: Resource temporarily unavailable", {APPARMOR: "1"}, "processes", "ulimit -u"),
        ("Can't fork for pid 1", {}, "processes", "ulimit -u"),
        (f"{NEW}: Cannot allocate memory", {}, "memory", ""),
        ("Can't create file at /x: Read-only file system", {}, "read-only", "--dry-run"),
        ("Can't find source path /x: Permission denied", {APPARMOR: "1"}, "moved", "again"),
        ("Can't find source path /mount: No such file or directory", {}, "moved", "--dry-run"),
        (f"Can't bind mount /x on /newroot/x: Unable {LOST}", {APPARMOR: "1"}, "moved", "again"),
        ("Can't do it: No such thing", {APPARMOR: "1"}, "bwrap failed", "doctor"),
        ("", {}, "without a word", "doctor"),
    ],
)
def test_a_refusal_names_cause_and_fix(
    said: str, settings: dict[str, str], cause: str, fix: str
) -> None:
    error = explain(f"bwrap: {said}\n" if said else "", settings)
    assert cause in error.cause
    assert fix in error.fix
    assert said in error.cause


def test_every_row_says_what_to_do() -> None:
    assert all(row.cause and row.fix and row.said for row in ROWS)
