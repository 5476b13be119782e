"""Everything that a run can be told, read once and in one place.

Layers, weakest first: built-in defaults, the user's file (or exactly the one that `--config`
names), the command line. Later looks at the disk or the environment are a bug: a file that the
sandboxed command writes must never become policy.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from netproxy.app import places
from netproxy.config import Limits
from netproxy.errors import InvalidSettings
from netproxy.model import OnDenial, Verdict
from netproxy.policy.blocks import Blocks
from netproxy.policy.engine import NO_HOST, Host, Policy, compile_policy
from netproxy.policy.hosts import shown
from netproxy.policy.spec import Mode, PolicySpec
from netproxy.policy.spelling import nearest
from otel import ExportRefused, OtlpSettings, check_endpoint, otlp_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netproxy.app.cli.run_options import RunOptions
    from netproxy.policy.layers import LayerPolicy
    from netproxy.policy.loader import Document

# Constraints that nobody may loosen. They are not supported yet, so their presence stops us:
# going on without them would be a silent downgrade.
MANAGED_FILE = Path("/etc/netproxy/requirements.toml")
# Design section 6. Clients that wait less (pip: 15 s a try) come back, and a late yes still counts.
HOLD_SECONDS = 120.0


class Ask(StrEnum):
    """Who is asked where no rule matches."""

    TERMINAL = "terminal"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What holds for one run, complete and checked."""

    command: tuple[str, ...]
    config_file: Path | None  # the file that `--config` named
    profile: str | None  # None: the built-in defaults
    spec: PolicySpec  # `--ask never` has turned its ask into deny here
    ask: Ask
    hold_seconds: float
    session_name: str | None
    timeout_seconds: float | None
    resolver_hosts: Mapping[str, tuple[str, ...]]
    resolve_seconds: float
    audit_directory: Path
    otlp: OtlpSettings | None  # where the audit records are exported to
    write_paths: tuple[Path, ...]
    no_sandbox: bool

    def policy(self, *, now: float, host: Host = NO_HOST) -> Policy:
        """Compile the snapshot that decides for this run; `now` in seconds since the epoch."""
        return compile_policy(self.spec, now=now, host=host)


def load_settings(
    options: RunOptions, environ: Mapping[str, str], *, managed_file: Path = MANAGED_FILE
) -> Settings:
    """Read all layers. Raises `InvalidSettings` with every problem that was found."""
    _refuse_managed(managed_file)
    home = _home(environ)
    document = _document(options.config, places.config_home(environ, home) / "config.toml")
    chosen = _chosen_profile(options, document)
    problems: list[str] = []
    read = _Reader(environ=environ, home=home, document=document, problems=problems)
    settings = _merge(options, document, chosen, read)
    if problems:
        raise InvalidSettings(tuple(problems))
    return settings


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Reads the parts of a file that mean something to the app only, and collects problems."""

    environ: Mapping[str, str]
    home: Path
    document: Document | None
    problems: list[str]

    def path(self, text: str, *key: str | int) -> Path:
        """Read a folder from the file: absolute or below home, since the file has no here."""
        path = self.home / text[2:] if text.startswith("~/") else Path(text)
        if not path.is_absolute() or "\0" in text:
            self._report(key, f"{shown(text)} is neither absolute nor below ~/")
        return path

    def collector(self, given: str | None) -> OtlpSettings | None:
        """Choose between the command line, the environment and the file, in that order."""
        in_file = self.document.otlp_endpoint if self.document else None
        try:
            found = otlp_settings(self.environ, given)
            if found is not None or in_file is None:
                return found
        except ExportRefused as refused:
            self.problems.append(str(refused))
            return None
        try:
            return otlp_settings(self.environ, check_endpoint(in_file))
        except ExportRefused as refused:
            self._report(("audit", "otlp"), str(refused))
            return None

    def _report(self, key: tuple[str | int, ...], what: str) -> None:
        assert self.document is not None, "only a file's own keys are reported"
        self.problems.append(self.document.problem(key, what))


def _merge(
    options: RunOptions,
    document: Document | None,
    chosen: tuple[str, LayerPolicy] | None,
    read: _Reader,
) -> Settings:
    """Lay the command line over the file over the defaults. Rules add up; the rest is replaced."""
    name, profile = chosen or (None, None)
    default = profile.default.value if profile and profile.default else Verdict.ASK
    on_denial = profile.on_denial.value if profile and profile.on_denial else OnDenial.CANCEL
    return Settings(
        command=options.command,
        config_file=options.config,
        profile=name,
        spec=PolicySpec(
            rules=(*(profile.rules if profile else ()), *options.rules),
            mode=profile.mode.value if profile and profile.mode else Mode.FULL,
            default=Verdict.DENY if _never_asks(options, default) else default,
            on_denial=options.on_denial or on_denial,
            allow_private=Blocks(
                (
                    *(said.value for said in (profile.allow_private if profile else ())),
                    *options.allow_private,
                )
            ),
        ),
        ask=options.ask,
        hold_seconds=(document and document.hold_seconds) or HOLD_SECONDS,
        session_name=options.session,
        timeout_seconds=options.timeout_seconds,
        resolver_hosts={**(document.resolver_hosts if document else {}), **options.resolve},
        resolve_seconds=(document and document.resolve_seconds) or Limits().resolve_seconds,
        audit_directory=_audit_directory(options, document, read),
        otlp=read.collector(options.otlp),
        write_paths=(*_write_paths(document, read), *options.write),
        no_sandbox=options.no_sandbox,
    )


def _never_asks(options: RunOptions, default: Verdict) -> bool:
    return options.ask is Ask.NEVER and default is Verdict.ASK


def _audit_directory(options: RunOptions, document: Document | None, read: _Reader) -> Path:
    if options.audit_directory is not None:
        return options.audit_directory
    if document and document.audit_directory is not None:
        return read.path(document.audit_directory, "audit", "directory")
    return places.audit_directory(read.environ, read.home)


def _write_paths(document: Document | None, read: _Reader) -> list[Path]:
    texts = document.write_paths if document else ()
    return [read.path(text, "sandbox", "write", index) for index, text in enumerate(texts)]


def _chosen_profile(
    options: RunOptions, document: Document | None
) -> tuple[str, LayerPolicy] | None:
    """Choose a profile by name, and never guess between several: one may hold the denials."""
    profiles = document.profiles if document else {}
    if options.profile is not None:
        if options.profile not in profiles:
            raise InvalidSettings((_no_profile(options.profile, document),))
        return options.profile, profiles[options.profile]
    if document is None or (document.default_profile is None and not profiles):
        return None
    only = next(iter(profiles)) if len(profiles) == 1 else None
    name = document.default_profile or only
    if name is None:
        listed = ", ".join(profiles)
        what = f"is missing: say which of {listed} holds, or give --profile"
        raise InvalidSettings((document.problem(("default_profile",), what),))
    if name not in profiles:
        what = f"there is no profile {shown(name)}{nearest(name, profiles)}"
        raise InvalidSettings((document.problem(("default_profile",), what),))
    return name, profiles[name]


def _no_profile(name: str, document: Document | None) -> str:
    if document is None:
        return f"--profile {shown(name)}: there is no settings file"
    near = nearest(name, document.profiles)
    return f"--profile {shown(name)}: {document.name} has no such profile{near}"


def _home(environ: Mapping[str, str]) -> Path:
    """Return the home folder, from the password database where the environment has none."""
    if (home := environ.get("HOME", "")).startswith("/"):
        return Path(home)
    import pwd

    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        raise InvalidSettings(("HOME is not set, and this user has no home folder",)) from None


def _document(config: Path | None, usual: Path) -> Document | None:
    """Read the user's usual file if there is one, or the given one, which must be there."""
    path = config or usual
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        if config is None:
            return None
        raise InvalidSettings((f"{path}: there is no such file",)) from None
    except (OSError, ValueError) as error:
        raise InvalidSettings((f"{path}: can't be read: {_cause(error)}",)) from None
    from netproxy.policy.loader import load
    from netproxy.policy.origin import Layer
    from netproxy.policy.reading import decoded

    return load(decoded(content, str(path)), str(path), layer=Layer.USER)


def _refuse_managed(path: Path) -> None:
    """Stop where managed settings exist, or may exist behind a folder that we can't look into."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise InvalidSettings((f"{path}: can't be looked for: {_cause(error)}",)) from None
    raise InvalidSettings((f"{path}: managed settings are not supported yet",))


def _cause(error: Exception) -> str:
    strerror = error.strerror if isinstance(error, OSError) else None
    return (strerror or str(error)).lower()
