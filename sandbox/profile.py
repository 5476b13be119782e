"""What a filesystem profile says, and what it comes to on a host whose places are known. Pure.

An entry is a path (`/srv/data`, `~/notes`), a place with or without a path below it (`:workspace`,
`:home/notes`), or a glob (`**/*.env`; without a slash it matches at any depth). An entry
that begins nowhere is meant below each workspace root. Which exist is for its user to look up.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from otel.values import dataclass
from sandbox.errors import ProfileRefused
from sandbox.model import Right

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

DEFAULT_PROFILE = "workspace"
# How far below a workspace root a glob is looked for.
DEFAULT_SCAN_DEPTH = 3
PLACES = (":root", ":cwd", ":workspace", ":tmp", ":minimal", ":home")
# What a program needs that is linked to libraries and asks for names, users and the time.
MINIMAL = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store",
    "/run/current-system", "/etc/alternatives", "/etc/ca-certificates", "/etc/ca-certificates.conf",
    "/etc/crypto-policies", "/etc/fonts", "/etc/gai.conf", "/etc/group", "/etc/host.conf",
    "/etc/hostname", "/etc/hosts", "/etc/inputrc", "/etc/ld.so.cache", "/etc/ld.so.conf",
    "/etc/ld.so.conf.d", "/etc/locale.alias", "/etc/locale.conf", "/etc/localtime",
    "/etc/login.defs", "/etc/machine-id", "/etc/mime.types", "/etc/nsswitch.conf",
    "/etc/os-release", "/etc/passwd", "/etc/pki", "/etc/profile", "/etc/profile.d",
    "/etc/protocols", "/etc/resolv.conf", "/etc/rpc", "/etc/services", "/etc/shells", "/etc/ssl",
    "/etc/terminfo", "/etc/timezone", "/etc/xattr.conf",
)  # fmt: skip
# Whoever may write the disk still may not change what is started outside the sandbox.
_SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/boot", "/etc",
)  # fmt: skip
# Below home: keys, tokens, passwords and what was typed.
CREDENTIALS = (
    ".aws", ".azure", ".bash_history", ".cargo/credentials", ".cargo/credentials.toml",
    ".config/BraveSoftware", ".config/chromium", ".config/gcloud", ".config/gh",
    ".config/git/credentials", ".config/glab-cli", ".config/google-chrome",
    ".config/microsoft-edge", ".config/op", ".config/rclone", ".docker/config.json",
    ".gem/credentials", ".git-credentials", ".gnupg", ".histfile", ".kube",
    ".local/share/fish/fish_history", ".local/share/keyrings", ".m2/settings-security.xml",
    ".mozilla", ".mysql_history", ".netrc", ".node_repl_history", ".npmrc", ".password-store",
    ".pgpass", ".psql_history", ".pypirc", ".python_history", ".sqlite_history", ".ssh",
    ".terraform.d/credentials.tfrc.json", ".thunderbird", ".vault-token", ".zsh_history",
)  # fmt: skip
# In a workspace root: what other programs obey as soon as somebody works there.
SETTINGS = (
    ".agents", ".claude", ".codex", ".cursor", ".devcontainer", ".envrc", ".gemini", ".husky",
    ".idea", ".mcp.json", ".vscode", ".windsurf", ".zed", "netproxy.toml",
)  # fmt: skip
_TMP = "/tmp"  # noqa: S108  # a mount point inside the sandbox, not a file of ours
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One named list of what may be read, written and not be seen at all."""

    name: str
    extends: str | None = None
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    hide: tuple[str, ...] = ()
    scan_depth: int | None = None

    def entries(self) -> Iterator[tuple[Right, str]]:
        """Everything that it says, by what it gives."""
        for right, texts in (
            (Right.WRITE, self.write),
            (Right.READ, self.read),
            (Right.NONE, self.hide),
        ):
            for text in texts:
                yield right, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What the places stand for in this run. Absolute paths, as they are spelled."""

    home: str
    cwd: tuple[str, ...]  # empty: it may not be written as a whole (home, and all above)
    workspace: tuple[str, ...]
    minimal: tuple[str, ...] = MINIMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a profile on this host: a path, or a pattern below one."""

    right: Right
    path: str
    pattern: str | None  # None: the path itself
    layer: int
    named: str  # as somebody wrote it


BUILT_IN = {
    profile.name: profile
    for profile in (
        Profile(
            name="read-only",
            read=(":root",),
            write=(":tmp",),
            hide=tuple(f":home/{path}" for path in CREDENTIALS),
        ),
        Profile(name="workspace", extends="read-only", write=(":workspace",)),
        Profile(name="network-only", read=_SYSTEM, write=(":root",)),
    )
}


def known_profiles(own: Iterable[Profile]) -> dict[str, Profile]:
    """Look profiles up by name: those that are built in, and a user's own."""
    return BUILT_IN | {profile.name: profile for profile in own}


def lineage(name: str, known: Mapping[str, Profile]) -> tuple[Profile, ...]:
    """Follow `extends` from its end to the profile itself. Raises ProfileRefused."""
    chain: list[Profile] = []
    wanted: str | None = name
    while wanted is not None:
        if wanted in {profile.name for profile in chain}:
            ring = " -> ".join([*(profile.name for profile in chain), wanted])
            raise ProfileRefused(f"the profiles extend each other in a circle: {ring}")
        if wanted not in known:
            raise ProfileRefused(f"there is no profile {wanted}", name=wanted)
        chain.append(known[wanted])
        wanted = known[wanted].extends
    return tuple(reversed(chain))


def scan_depth(chain: Iterable[Profile]) -> int | None:
    """How far globs are looked for, if a profile says so: the last one that does."""
    depths = [profile.scan_depth for profile in chain if profile.scan_depth is not None]
    return depths[-1] if depths else None


def check_name(name: str) -> None:
    """Refuse what can't be typed, or stands for something else. Raises ProfileRefused."""
    if not _NAME.fullmatch(name):
        raise ProfileRefused("a profile's name has letters, digits, dots, dashes")
    if name in BUILT_IN:
        raise ProfileRefused(f"{name} is built in; choose another name, and extend it")


def check_entry(key: str, text: str) -> None:
    """Refuse what means nothing under `read`, `write` or `hide`, or can't be enforced.

    Raises ProfileRefused.
    """
    if not text or "\0" in text:
        raise ProfileRefused("this is not a path")
    if text.startswith(":"):
        place = text.partition("/")[0]
        if place not in PLACES:
            raise ProfileRefused(f"{place} is no place, use {', '.join(PLACES)}", name=place)
    if ".." in text.split("/"):
        raise ProfileRefused("a path with .. leads elsewhere; name the place that is meant")
    if is_glob(text) and key == "write":
        raise ProfileRefused(
            "a glob can hide, or keep from being written, what it finds at the start; to open, "
            "name the folder"
        )
    if text.startswith(":minimal") and (text, key) != (":minimal", "read"):
        raise ProfileRefused(":minimal as a whole can be read, and nothing else")
    if key == "hide" and text in {"/", ":root"}:
        raise ProfileRefused(
            "nothing can run without its programs: leave :root out of read instead"
        )


def is_glob(text: str) -> bool:
    """Whether it stands for what matches, and not for one path."""
    return _WILD.search(text) is not None


def entries_of(chain: Iterable[Profile], places: Places) -> tuple[Entry, ...]:
    """Turn a profile, and all that it extends, into entries; the weakest layer comes first."""
    return tuple(
        entry
        for layer, profile in enumerate(chain)
        for right, text in profile.entries()
        for entry in placed(right, text, places, layer=layer)
    )


def placed(right: Right, text: str, places: Places, *, layer: int) -> Iterator[Entry]:
    """Yield what one entry means here: once for each place that it begins at."""
    if text == ":tmp" and right is Right.WRITE:
        yield Entry(right=Right.PRIVATE, path=_TMP, pattern=None, layer=layer, named=text)
        return
    head, _, rest = text.partition("/")
    if head == "~":
        starts: tuple[str, ...] = (places.home,)
    elif head.startswith(":"):
        starts = _starts(head, places)
    elif head:
        starts, rest = places.workspace, text
    else:
        starts = ("/",)
    for start in starts:
        path, pattern = _divided(rest, is_bare="/" not in text)
        whole = _joined(start, path)
        yield Entry(right=right, path=whole, pattern=pattern, layer=layer, named=text)


def _starts(place: str, places: Places) -> tuple[str, ...]:
    return {
        ":root": ("/",),
        ":cwd": places.cwd,
        ":workspace": places.workspace,
        ":tmp": (_TMP,),
        ":minimal": places.minimal,
        ":home": (places.home,),
    }[place]


def _divided(path: str, *, is_bare: bool) -> tuple[str, str | None]:
    """Part what stands before the first wild card from what has to be looked for."""
    words = [word for word in path.split("/") if word not in {"", "."}]
    for index, word in enumerate(words):
        if _WILD.search(word):
            pattern = "/".join(words[index:])
            # As in a .gitignore: a bare name is looked for everywhere.
            return "/".join(words[:index]), f"**/{pattern}" if is_bare else pattern
    return "/".join(words), None


def _joined(start: str, path: str) -> str:
    return f"{start.rstrip('/')}/{path}".rstrip("/") or "/"
