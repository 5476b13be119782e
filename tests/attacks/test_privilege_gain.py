"""Programs that give their caller more than he has: inside, they give nothing.

The defences: no_new_privs, an empty bounding set, and a user namespace with one user. Each row was
seen to gain something outside.
"""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from tests.support.people import Person

_MODES = {"setuid": 0o4755, "setgid": 0o2755, "capabilities": 0o755}
# linux/capability.h: revision 2 with the effective bit, then permitted and inheritable, two words.
# CAP_DAC_OVERRIDE, CAP_NET_ADMIN and CAP_NET_RAW.
_CAPABILITIES = struct.pack("<IIIII", 0x02000001, 1 << 1 | 1 << 12 | 1 << 13, 0, 0, 0)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make such programs")
def test_a_privileged_program_gives_nothing(person: Person, base: Path) -> None:
    cat = Path(shutil.which("cat") or "/bin/cat").resolve()
    for name, mode in _MODES.items():
        shutil.copy(cat, base / name)
        (base / name).chmod(mode)
    os.setxattr(base / "capabilities", "security.capability", _CAPABILITIES)
    script = "; ".join(f"{name} /proc/self/status" for name in (cat, *(base / n for n in _MODES)))
    done = Netproxy(person, base).run("--ask", "never", command=["sh", "-c", script])
    assert done.status == 0, done.err
    told = [line for line in done.out.splitlines() if line.startswith(("Uid", "Gid", "Cap"))]
    lines = len(told) // 4
    assert told == told[:lines] * 4, "each of them is as the first, which is an ordinary program"
    assert {line.split()[1] for line in told if line.startswith("Cap")} == {"0" * 16}
    assert told[0] == "Uid:" + f"\t{person.uid}" * 4
