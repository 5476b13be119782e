"""From settings to what the sandbox is asked for: which folders are whose. Looks at the disk.

What a profile comes to here is `netproxy.app.file_rules`; this file adds what is netproxy's own.
"""

from __future__ import annotations

import os
import pwd
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from netproxy.app.control_socket import control_folder
from netproxy.app.file_rules import file_rules, look_at
from netproxy.app.home import home_of
from netproxy.app.places import config_home, state_home
from otel.values import replace
from sandbox.capture import Capture
from sandbox.links import links_to
from sandbox.model import Right, SandboxSpec
from sandbox.other_names import Mounted, Mounts, of_the_kernel, read_mounts
from sandbox.plan import in_force
from sandbox.repository import obeyed_everywhere

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netproxy.app.settings import Settings

_MANAGED = Path("/etc/netproxy")
_SSH_DROP_INS = Path("/etc/ssh/ssh_config.d")
_MOUNTS = Path("/proc/self/mountinfo")
_ACCESS_LIST = "system.posix_acl_access"  # with one, a group's bits may be for anybody (acl(5))


def sandbox_spec(
    settings: Settings, environ: Mapping[str, str], *, program: tuple[str, ...]
) -> SandboxSpec:
    """What the command may see and write.

    Raises FolderMissing for a path that isn't there, PlanRefused, ProfileRefused.
    """
    home = home_of(environ)
    directory, identity = look_at(Path(), "working directory")
    homes = _homes(home)
    said = file_rules(
        settings.sandbox,
        cwd=directory,
        homes=homes,
        obeyed=obeyed_everywhere(homes[0], environ),
        runtime=_sockets(),
    )
    # Also where no gateway listens yet: a socket that comes later would be seen.
    made = [settings.audit_directory, control_folder(environ, home)]
    if settings.approvals.store is not None:  # who writes it allows himself everything
        made.append(settings.approvals.store.parent)
    ours = [*made, state_home(environ, home), config_home(environ, home), *_usual_places(homes)]
    if settings.evidence.key is not None:  # who reads it can sign a history of his own
        ours.append(settings.evidence.key.parent)
    # The usual policy file, read or not: it may be a link into a folder that is worked on.
    policy = settings.config_file or config_home(environ, home) / "config.toml"
    files = dict.fromkeys([policy, *(source.path for source in settings.sources)])
    holding = in_force(said.rules)
    roots = [path for path, rule in holding.items() if rule.right is Right.WRITE]
    hidden = _hide(ours, roots=(*roots, *(os.path.realpath(folder) for folder in made)))
    closed = [rule for rule in holding.values() if rule.right is Right.NONE]
    mounts = _host_mounts()
    elsewhere = _mounted_again(mounts, [*hidden, *(rule.path for rule in closed)])
    hidden += tuple(filter(_is_in_reach, of_the_kernel(mounts)))
    again = (replace(rule, path=path) for rule in closed for path in elsewhere.get(rule.path, ()))
    return SandboxSpec(
        working_directory=directory,
        rules=(*said.rules, *again),
        hidden=(*hidden, *(path for each in hidden for path in elsewhere.get(each, ()))),
        program=program,
        protected=tuple(os.path.realpath(file) for file in files if file.exists()),
        identities={directory: identity, **said.identities},
        links=tuple(link for path in (*ours, *files, Path(sys.prefix)) for link in links_to(path)),
        owned=_ssh_drop_ins(),
        hosts=None if settings.sandbox.capture is Capture.OFF else _hosts_file(),
        shortcuts=said.shortcuts,
        missing=tuple(said.missing),
        notes=tuple(said.notes),
        unborn=tuple(said.unborn),
    )


def _homes(home: Path) -> tuple[str, ...]:
    """This one, and what the password database says, if that is another one; real paths."""
    found = [str(home)]
    with suppress(KeyError):
        found.append(pwd.getpwuid(os.getuid()).pw_dir or found[0])
    return tuple(dict.fromkeys(map(os.path.realpath, found)))


def _usual_places(homes: Iterable[str]) -> list[Path]:
    """What is netproxy's for runs with other variables than this one's."""
    found = [folder({}, Path(home)) for home in homes for folder in (state_home, config_home)]
    return [path for path in found if os.path.isdir(path)]  # noqa: PTH112  # no error out of reach


def logical_directory(environ: Mapping[str, str]) -> str:
    """The working directory as the caller spells it ($PWD), if that is the same place."""
    spelled = environ.get("PWD", "")
    with suppress(OSError):
        if spelled.startswith("/") and os.path.samefile(spelled, "."):  # noqa: PTH121  # text stays
            return spelled
    return os.getcwd()  # noqa: PTH109  # the text for bwrap, not a path to work on


def machine() -> str:
    """The architecture that the kernel filter is for."""
    return os.uname().machine


def _ssh_drop_ins() -> tuple[str, ...]:
    """Ssh's included configuration, unless we are root: see `sandbox.plan.Access.OWNED`."""
    if os.getuid() == 0:
        return ()
    files = [str(path) for path in _SSH_DROP_INS.glob("*.conf") if path.is_file()]
    return tuple(path for path in files if os.access(path, os.R_OK))


def _hosts_file() -> str | None:
    """Where it really is; some distributions have a link there, and some containers no file."""
    real = os.path.realpath("/etc/hosts")
    return real if os.access(real, os.R_OK) else None


def _sockets() -> str | None:
    """The folder of the user's login session: buses, agents, keyrings (file-hierarchy(7))."""
    place = f"/run/user/{os.getuid()}"
    return os.path.realpath(place) if os.path.isdir(place) else None  # noqa: PTH112  # text


def _hide(ours: list[Path], *, roots: tuple[str, ...]) -> tuple[str, ...]:
    """The folders of ours that exist, and those that the command could otherwise create.

    A configuration that isn't there yet, in a folder that the command may write, would be its own
    to write for the next run; so it is made now, empty and ours. Those of the journal, the
    approvals and the control sockets always are: what is made later would be seen.
    """
    found = [os.path.realpath(_MANAGED)] if _MANAGED.is_dir() else []
    for path in ours:
        real = Path(os.path.realpath(path))
        if not real.is_dir() and any(real.is_relative_to(root) for root in roots):
            with suppress(OSError):  # whoever needs it will say why it can't be made
                real.mkdir(mode=0o700, parents=True, exist_ok=True)
        if real.is_dir():
            found.append(str(real))
    return tuple(dict.fromkeys(found))


def _host_mounts() -> list[Mounted]:
    try:
        return read_mounts(_MOUNTS.read_bytes())
    except OSError:
        return []  # no /proc, and so no sandbox either


def _mounted_again(mounts: list[Mounted], paths: list[str]) -> dict[str, list[str]]:
    """Where else what is at these paths is seen, because a folder around it is mounted twice."""
    names = Mounts(mounts)
    found: dict[str, list[str]] = {}
    for path in paths:
        for other in names.other_names(path):
            with suppress(OSError):  # another mount may lie over it
                if os.path.samestat(os.lstat(path), os.lstat(other)):
                    found.setdefault(path, []).append(os.path.realpath(other))
    return found


def _is_in_reach(folder: str) -> bool:
    """Whether the command gets there, and so does who covers it: inside, root has no power."""
    above = Path(folder).parents
    return os.path.isdir(folder) and all(map(_lets_through, above))  # noqa: PTH112  # text


def _lets_through(folder: Path) -> bool:
    found = folder.stat()
    bits = stat.S_IXOTH
    if found.st_uid == os.geteuid():
        bits = stat.S_IXUSR
    elif found.st_gid in os.getgroups() or _ACCESS_LIST in os.listxattr(folder):
        bits |= stat.S_IXGRP
    return bool(found.st_mode & bits)
