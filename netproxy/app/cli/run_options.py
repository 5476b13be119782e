"""The options of `netproxy run [options] [--] CMD…`, as a table and as a value.

Our options end at the first `--` or at the first word that is none; from there on everything is
the command and is never looked at again. What the values are worth beside a settings file is
decided in `netproxy.app.settings`.
"""

from __future__ import annotations

import argparse
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from netproxy.app.approval_settings import parse_inbox
from netproxy.app.cli.sandbox_options import (
    SANDBOX_DEFAULTS,
    SANDBOX_FLAGS,
    SandboxOptions,
    read_path,
    sandbox_options,
)
from netproxy.app.cli.usage import UsageParser
from netproxy.app.settings import Ask
from netproxy.errors import InvalidDestination, InvalidRule
from netproxy.model import OnDenial
from netproxy.policy.addresses import parse_private_block
from netproxy.policy.blocks import parse_address, text_of
from netproxy.policy.hosts import canonical_host, is_address, shown
from netproxy.policy.origin import Layer, Origin
from netproxy.policy.rules import Effect, parse_rule
from otel import AuditMode, ExportRefused, check_endpoint
from otel.values import dataclass, field, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from netproxy.app.listening import ListenAddress
    from netproxy.policy.blocks import Block
    from netproxy.policy.rules import Rule

# A label for people and records: nothing in it can disturb a terminal, a path or a log line.
_SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")

_DESCRIPTION = """\
Run a command in a sandbox whose only way out is netproxy: it reaches what a rule or a person
allows, and a denial ends it.

A rule is [protocol://]host[:port], where host may be example.org, *.example.org (everything
below), **.example.org (that and example.org itself), 192.0.2.7 or 10.0.0.0/8. Without a port,
--allow means 80 and 443, --deny means every port."""

_EPILOG = """\
Exit status: the command's own; 77 after a denial, 124 after --timeout, 125 when netproxy failed,
126 or 127 when the command could not be started, 128+n for a signal, 78 for bad settings,
64 for bad usage."""


class GatewayChoice(StrEnum):
    """Whose connections a run's are."""

    AUTO = "auto"  # a gateway of ours that runs already, if it would decide and record the same
    OWN = "own"


class BundleUse(NamedTuple):
    """`--allow @python`: what it stands for is in the user's file."""

    effect: Effect
    name: str  # "@python"
    key: str  # "--allow #1"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the command line says, checked. None: it doesn't say."""

    rules: tuple[Rule | BundleUse, ...] = ()
    allow_private: tuple[Block, ...] = ()
    config: Path | None = None
    profile: str | None = None
    no_project: bool = False
    ask: Ask | None = None
    on_denial: OnDenial | None = None
    session: str | None = None
    inbox: ListenAddress | None = None
    gateway: GatewayChoice = GatewayChoice.AUTO
    timeout_seconds: float | None = None
    audit_directory: Path | None = None
    audit_mode: AuditMode | None = None
    otlp: str | None = None
    resolve: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sandbox: SandboxOptions = field(default_factory=SandboxOptions)
    command: tuple[str, ...] = ()


def parse_run(arguments: list[str], *, is_quiet: bool = False) -> RunOptions:
    """Read the words after `run`. Leaves with one line and 64 when they can't be used.

    `is_quiet`: without the line.
    """
    parser = _parser()
    parser.is_quiet = is_quiet
    own, command = _divide(arguments)
    given = parser.parse_args(own)
    if not command:
        parser.error("no command given: netproxy run [options] -- COMMAND")
    if (problem := gateway_problem(given)) is not None:
        parser.error(problem)
    return replace(
        gateway_options(given),
        on_denial=None if given.on_denial is None else OnDenial(given.on_denial),
        gateway=GatewayChoice(given.gateway),
        timeout_seconds=given.timeout,
        sandbox=sandbox_options(given),
        command=tuple(command),
    )


def given_flags(arguments: list[str]) -> tuple[str, ...]:
    """Name our own options among the words after `run`, as often as they are there."""
    own, _ = _divide(arguments)
    flags, index = [], 0
    while index < len(own):
        flags.append(own[index].partition("=")[0])
        index += 2 if _takes_value(own[index]) else 1
    return tuple(flags)


def add_policy_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which policy holds: for verbs that ask about it and run nothing."""
    for flag in _POLICY_FLAGS:
        parser.add_argument(flag, **_OPTIONS[flag])
    parser.set_defaults(rules=[], allow_private=[])


def policy_options(given: argparse.Namespace) -> RunOptions:
    """Return what they said, without a command."""
    return RunOptions(
        rules=_numbered(given.rules),
        allow_private=tuple(given.allow_private),
        config=given.config,
        profile=given.profile,
        no_project=given.no_project,
        ask=None if given.ask is None else Ask(given.ask),
    )


def add_gateway_options(parser: argparse.ArgumentParser) -> None:
    """Add those that a gateway has without a command to run."""
    add_policy_options(parser)
    for flag in _GATEWAY_FLAGS:
        parser.add_argument(flag, **_OPTIONS[flag])
    parser.set_defaults(resolve=[])


def gateway_options(given: argparse.Namespace) -> RunOptions:
    """Return what they said."""
    return replace(
        policy_options(given),
        session=given.session,
        inbox=given.inbox,
        audit_directory=given.audit_dir,
        audit_mode=_mode(given),
        otlp=given.otlp,
        resolve=_gathered(given.resolve),
    )


def gateway_problem(given: argparse.Namespace) -> str | None:
    """What does not go together. An inbox of the file's is just not opened."""
    if given.inbox is not None and given.ask == Ask.NEVER:
        return "with --ask never nobody is asked, so there is no --inbox: leave one of them out"
    return None


def _mode(given: argparse.Namespace) -> AuditMode | None:
    return None if given.audit_mode is None else AuditMode(given.audit_mode)


def _one(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Turn a parser of ours into argparse's kind, which reports one error type in full."""

    def read(text: str) -> Any:
        try:
            return parse(text)
        except (InvalidRule, InvalidDestination) as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def _rule(effect: Effect) -> Callable[[str], Rule | BundleUse]:
    def read(text: str) -> Rule | BundleUse:
        if text.startswith("@"):
            return BundleUse(effect=effect, name=text, key="")
        return parse_rule(text, effect)

    return _one(read)


def read_seconds(text: str) -> float:
    """Read a time above 0, as an option's type."""
    if not _SECONDS.fullmatch(text) or not float(text):
        raise argparse.ArgumentTypeError(
            f"{shown(text)} is not a number of seconds above 0, as 90 or 0.5"
        )
    return float(text)


def _session(text: str) -> str:
    if not _SESSION.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{shown(text)} is not a label of up to 64 letters, digits, dots, dashes"
        )
    return text


def _collector(text: str) -> str:
    try:
        return check_endpoint(text)
    except ExportRefused as refused:
        raise argparse.ArgumentTypeError(str(refused)) from None


def _pinned(text: str) -> tuple[str, str]:
    host_text, separator, address_text = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{shown(text)} is not HOST=ADDRESS")
    host = canonical_host(host_text)
    address = parse_address(address_text)
    if is_address(host):
        raise argparse.ArgumentTypeError(f"{host} is an address, only names are looked up")
    if address is None:
        raise argparse.ArgumentTypeError(f"{shown(address_text)} is not an IP address")
    return host, text_of(address)


# One row an option: flag, what argparse is told. The help is the manual: say what it means.
_OPTIONS: dict[str, dict[str, Any]] = {
    "--allow": {
        "action": "append",
        "dest": "rules",
        "metavar": "RULE",
        "type": _rule(Effect.ALLOW),
        "help": "allow what the rule matches (repeatable)",
    },
    "--deny": {
        "action": "append",
        "dest": "rules",
        "metavar": "RULE",
        "type": _rule(Effect.DENY),
        "help": "deny what the rule matches, whatever allows it (repeatable)",
    },
    "--allow-private": {
        "action": "append",
        "metavar": "CIDR",
        "type": _one(parse_private_block),
        "help": "let allowed names resolve to this block of private addresses (repeatable)",
    },
    "--ask": {
        "choices": [str(ask) for ask in Ask],
        "help": "whom to ask where no rule matches (default: terminal)",
    },
    "--on-denial": {
        "choices": [str(choice) for choice in OnDenial],
        "help": "cancel the command on a denial, or block that connection only (default: cancel)",
    },
    "--config": {
        "metavar": "FILE",
        "type": read_path,
        "help": "read this file in place of the user's own",
    },
    "--profile": {"metavar": "NAME", "help": "which profile of the settings file holds"},
    "--no-project": {
        "action": "store_true",
        "help": "leave out the project's netproxy.toml, trusted or not",
    },
    "--session": {
        "metavar": "NAME",
        "type": _session,
        "help": "a name for the records; what is answered for the session holds under it again",
    },
    "--inbox": {
        "metavar": "ADDRESS",
        "type": _one(parse_inbox),
        "help": "answer questions on a web page here too, such as 127.0.0.1:8377",
    },
    "--gateway": {
        "choices": [str(choice) for choice in GatewayChoice],
        "default": str(GatewayChoice.AUTO),
        "help": "own: never by a netproxy serve that runs already (default: auto)",
    },
    "--timeout": {
        "metavar": "SECONDS",
        "type": read_seconds,
        "help": "end the command after this time",
    },
    "--resolve": {
        "action": "append",
        "metavar": "HOST=ADDRESS",
        "type": _one(_pinned),
        "help": "where this name is, instead of a lookup; --allow-private still decides what may be"
        " reached (repeatable)",
    },
    "--audit-dir": {"metavar": "DIR", "type": read_path, "help": "where the audit journal is kept"},
    "--audit-mode": {
        "choices": [str(mode) for mode in AuditMode],
        "help": "let an allow wait until its record is written (default) or on the disk (strict), "
        "or go on without one (best_effort)",
    },
    "--otlp": {
        "metavar": "URL",
        "type": _collector,
        "help": "export audit events to this OTLP receiver",
    },
    **SANDBOX_FLAGS,
}
# Those that change a verdict.
_POLICY_FLAGS = (
    "--allow", "--deny", "--allow-private", "--ask", "--config", "--profile", "--no-project",
)  # fmt: skip

# And those that a gateway has besides.
_GATEWAY_FLAGS = ("--session", "--inbox", "--resolve", "--audit-dir", "--audit-mode", "--otlp")


def _parser() -> UsageParser:
    parser = UsageParser(
        prog="netproxy run",
        usage="netproxy run [options] [--] COMMAND [ARGUMENT ...]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    for flag, told in _OPTIONS.items():
        parser.add_argument(flag, **told)
    # argparse copies these lists before it appends, so parsers share nothing.
    parser.set_defaults(rules=[], allow_private=[], resolve=[], **SANDBOX_DEFAULTS)
    return parser


def _divide(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Part our options from the command. argparse would look for options inside the command."""
    index = 0
    while index < len(arguments):
        word = arguments[index]
        if word == "--":
            return arguments[:index], arguments[index + 1 :]
        if not word.startswith("-") or word == "-":
            break
        index += 1
        if _takes_value(word) and index < len(arguments) and arguments[index] != "--":
            index += 1
    return arguments[:index], arguments[index:]


def _takes_value(word: str) -> bool:
    return word in _OPTIONS and _OPTIONS[word].get("action") != "store_true"


def _numbered(rules: list[Rule | BundleUse]) -> tuple[Rule | BundleUse, ...]:
    """Say of each rule which of its kind it is on this command line: `--allow #2`."""
    seen: dict[Effect, int] = {}
    numbered: list[Rule | BundleUse] = []
    for rule in rules:
        seen[rule.effect] = seen.get(rule.effect, 0) + 1
        key = f"--{rule.effect.value} #{seen[rule.effect]}"
        if isinstance(rule, BundleUse):
            numbered.append(rule._replace(key=key))
        else:
            numbered.append(replace(rule, origin=Origin(layer=Layer.COMMAND_LINE, key=key)))
    return tuple(numbered)


def _gathered(pins: list[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    gathered: dict[str, tuple[str, ...]] = {}
    for host, address in pins:
        gathered[host] = (*gathered.get(host, ()), address)
    return gathered
