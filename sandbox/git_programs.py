"""Which programs a git configuration has git run, as far as it names them by their path. Pure.

Git gives most of these values to a shell. What that makes of them nobody knows but the shell; here
only those words are found that stand where a program's name does, or a script's behind an
interpreter, and are no expansion. A program that is looked up in PATH has no place here.
"""

from __future__ import annotations

from enum import Enum, auto
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from sandbox.git_config import values

if TYPE_CHECKING:
    from collections.abc import Iterator

# git-config(1): what is run, by section, all in lower case. `*`: whatever stands in that section.
_RUN = {
    "alias": ("*",),
    "browser": ("cmd", "path"),
    "core": (
        *("alternaterefscommand", "askpass", "editor", "fsmonitor"),
        *("gitproxy", "pager", "sshcommand"),
    ),
    "credential": ("helper",),
    "diff": ("command", "external", "textconv"),
    "difftool": ("cmd", "path"),
    "filter": ("clean", "process", "smudge"),
    "gpg": ("defaultkeycommand", "program"),
    "guitool": ("cmd",),
    "hook": ("command",),
    "instaweb": ("httpd",),
    "interactive": ("difffilter",),
    "man": ("cmd", "path"),
    "merge": ("driver",),
    "mergetool": ("cmd", "path"),
    "pager": ("*",),
    "remote": ("receivepack", "uploadpack"),
    "sendemail": ("cccmd", "headercmd", "sendmailcmd", "smtpserver", "tocmd"),
    "sequence": ("editor",),
    "submodule": ("update",),
    "tar": ("command",),
    "trailer": ("cmd", "command"),
    "uploadpack": ("packobjectshook",),
}
# What is something else, unless it says so: a git command, a helper of git's, a word.
_SHELL_IF_MARKED = ("alias.", "submodule.")
_HELPER = "credential.helper"
# As the documentation of git has it for scripts of the work tree, whatever the folder.
_TOP = "$(git rev-parse --show-toplevel)"
_ENDS = frozenset(";&|()")  # of a simple command
_TURNS = frozenset("<>")  # then a file that is read or written
_BEFORE_A_COMMAND = frozenset({
    *("!", "{", "}", "if", "then", "elif", "else", "do", "while", "until"),
    *("command", "env", "exec", "nice", "nohup", "sudo", "time"),
})  # fmt: skip
# Without the number of a version.
_INTERPRETERS = frozenset({
    *("ash", "bash", "dash", "fish", "ksh", "sh", "source", "zsh"),
    *("bun", "deno", "lua", "node", "perl", "php", "pypy", "python", "ruby"),
})  # fmt: skip
# A command may have written this: more, and longer ones, than somebody types are not looked at.
_MOST, _LONGEST = 200, 1024


class Place(Enum):
    """Where in a command a word stands."""

    PROGRAM = auto()  # the path of what is run
    SCRIPT = auto()  # what an interpreter runs
    ARGUMENT = auto()  # maybe a program all the same: xargs, ssh, a wrapper


class Word(NamedTuple):
    """A word that names something by its path, from the top of the work tree."""

    path: str
    place: Place


@lru_cache(maxsize=32)
def programs(text: str) -> tuple[Word, ...]:
    """Return what this configuration names. Kept: one of all repositories is asked for in each."""
    lowered = text.lower()
    if not any(_may_say(lowered, section, keys) for section, keys in _RUN.items()):
        return ()  # as most do
    run = (found for found in values(text) if _is_run(*found[0].split(".")))
    return tuple(word for found in islice(run, _MOST) for word in _of_setting(*found))


def _may_say(lowered: str, section: str, keys: tuple[str, ...]) -> bool:
    return section in lowered and any(key == "*" or key in lowered for key in keys)


def _is_run(section: str, *key: str) -> bool:
    keys = _RUN.get(section, ())
    return keys == ("*",) or key[-1] in keys


def _of_setting(name: str, value: str) -> Iterator[Word]:
    is_marked = value.startswith("!")
    if name.startswith(_SHELL_IF_MARKED) and not is_marked:
        return
    if name == _HELPER and not (is_marked or value.startswith(("/", "~"))):
        return
    if len(value) <= _LONGEST:
        yield from _of_command(value.removeprefix("!"))


def _of_command(text: str) -> Iterator[Word]:
    command: list[str] = []
    is_turned = False
    for token in _tokens(text.replace(_TOP, ".")):
        if not token:
            continue
        if token[0] in _ENDS:
            yield from _of_simple(command)
            command, is_turned = [], False
        elif token[0] in _TURNS:
            is_turned = True
        elif is_turned:
            is_turned = False
        else:
            command.append(token)
    yield from _of_simple(command)


def _tokens(text: str) -> list[str]:
    import shlex  # few have any such setting

    reader = shlex.shlex(text, posix=True, punctuation_chars=True)
    reader.whitespace_split = True
    reader.commenters = ""
    try:
        return list(reader)
    except ValueError:  # a quote without its end: the shell runs nothing of it
        return []


def _of_simple(command: list[str]) -> Iterator[Word]:
    rest = iter(command)
    for word in rest:
        if word not in _BEFORE_A_COMMAND and not _is_assignment(word):
            break
    else:
        return
    if _is_path(word):
        yield Word(word, Place.PROGRAM)
    place = Place.ARGUMENT
    if word == "." or word.rpartition("/")[2].rstrip("0123456789.") in _INTERPRETERS:
        place = Place.SCRIPT
    for word in rest:
        if word.startswith("-"):
            continue
        if place is Place.SCRIPT and any(map(str.isspace, word)):  # sh -c '…'
            yield from _of_command(word)
        elif _is_path(word) or (place is Place.SCRIPT and "$" not in word):
            yield Word(word, place)
        place = Place.ARGUMENT


def _is_assignment(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name.isidentifier()


def _is_path(word: str) -> bool:
    """What the shell replaces leads nobody knows where; a bare name is looked up in PATH."""
    return "/" in word and "$" not in word
