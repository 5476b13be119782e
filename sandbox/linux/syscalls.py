"""Numbers of the system calls that the kernel filter knows, per machine. Pure.

From arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h of Linux 6.18.
None: the machine has no such call. From 424 on the numbers are the same everywhere.
"""

from __future__ import annotations

from otel.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What differs between machines."""

    audit_arch: int  # linux/audit.h
    column: int  # of the tables below
    has_x32: bool


MACHINES = {
    "x86_64": Machine(audit_arch=0xC000003E, column=0, has_x32=True),
    "aarch64": Machine(audit_arch=0xC00000B7, column=1, has_x32=False),
}

# The newest call that was looked at: file_setattr(2).
NEWEST = 469

# Answered as by a kernel without them, so that every library falls back at once.
ABSENT: dict[str, tuple[int | None, int | None]] = {
    # Makes sockets, and whatever comes next, without the calls that are looked at.
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # Key rings are not in a namespace: a session's keys are the host's, and request_key(2) has a
    # program of the host run, which for a dns_resolver key sends a question into the network.
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # Its flags lie in memory, where no filter can read them; clone(2) has them in a register.
    "clone3": (435, 435),
}

# Refused with EPERM.
REFUSED: dict[str, tuple[int | None, int | None]] = {
    # Other processes: bwrap, our init, would not die with its parent once it is traced.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    # Programs and faults in the kernel itself: most of its past holes were found here.
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    # Mounts and namespaces: the plan of what is seen is made outside, and only there.
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "setns": (308, 268),
    "unshare": (272, 97),
    # Opens a file by number, past every folder above it.
    "open_by_handle_at": (304, 265),
    # The machine itself. All of them need capabilities that nobody here has; not to rely on it.
    "acct": (163, 89),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "finit_module": (313, 273),
    "init_module": (175, 105),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "vhangup": (153, 58),
}

# Allowed or refused by their arguments.
EXAMINED: dict[str, tuple[int, int]] = {
    "clone": (56, 220),
    "ioctl": (16, 29),
    "socket": (41, 198),
    "socketpair": (53, 199),
}


def number_of(name: str, machine: str) -> int | None:
    """Look a call up; None where the machine has none."""
    numbers = {**ABSENT, **REFUSED, **EXAMINED}[name]
    return numbers[MACHINES[machine].column]
