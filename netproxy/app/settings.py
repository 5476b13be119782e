"""Everything that a run can be told, read once and in one place.

Layers, weakest first: built-in defaults, the user's file (or exactly the one that `--config`
names), a trusted project's, the command line; the managed file bounds them all. Other looks at the
disk or the environment are a bug: a file that the sandboxed command writes must never become
policy. `netproxy.app.reload` calls `load_settings` again, with the same options.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from netproxy.app import places
from netproxy.app.approval_settings import ApprovalSettings, Surface, chosen_approvals
from netproxy.app.audit_mode import audit_mode
from netproxy.app.footing import working_directory
from netproxy.app.home import home_of
from netproxy.app.layer_files import (
    MANAGED,
    Managed,
    chosen_profiles,
    laid_over,
    own_profile,
    project_document,
    read_files,
    violations,
    with_managed,
)
from netproxy.app.sandbox_settings import (
    SandboxSettings,
    chosen_sandbox,
    sandbox_violations,
)
from netproxy.app.service_settings import (
    reach_rules,
    service_problems,
    service_violations,
    with_reached,
)
from netproxy.app.telemetry_switches import chosen_telemetry
from netproxy.config import ChosenLimits, Limits
from netproxy.errors import InvalidRule, InvalidSettings
from netproxy.model import Verdict
from netproxy.policy.engine import NO_HOST, Host, Policy, compile_policy
from netproxy.policy.hosts import shown
from netproxy.policy.layers import LayerPolicy, Statement, merged
from netproxy.policy.origin import Layer, Origin
from otel import (
    EvidenceSettings,
    ExportRefused,
    OtlpSettings,
    SinkSettings,
    check_endpoint,
    otlp_settings,
)
from otel.values import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netproxy.app.cli.run_options import RunOptions
    from netproxy.app.layer_files import LayerFiles, Source
    from netproxy.app.project import ProjectFile
    from netproxy.connection.routes import Routes
    from netproxy.policy.blocks import Block
    from netproxy.policy.loader import Document
    from netproxy.policy.rules import Rule
    from netproxy.policy.spec import PolicySpec
    from otel import AuditMode
    from otel.telemetry_config import TelemetrySettings

# Constraints that nobody may loosen.
MANAGED_FILE = MANAGED.path


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
    user_profile: str | None  # of the user's own file; None: it has none
    sources: tuple[Source, ...]  # the files that all this was read from
    warnings: tuple[str, ...]  # one line each: a project's file that was not used
    spec: PolicySpec  # `--ask never` has turned its ask into deny here
    layers: tuple[LayerPolicy, ...]  # what it was made from, weakest first
    ask: Ask
    approvals: ApprovalSettings
    session_name: str | None
    timeout_seconds: float | None
    resolver_hosts: Mapping[str, tuple[str, ...]]
    resolve_seconds: float
    limits: ChosenLimits
    routes: Routes | None  # where connections leave; None: all directly
    audit_directory: Path
    audit_mode: AuditMode
    sinks: tuple[SinkSettings, ...]  # where the audit records are exported to
    stall_seconds: float | None  # until a sink that gets nothing is told; None: the usual time
    max_unexported_bytes: int | None  # that may wait for a required one; None: any number
    evidence: EvidenceSettings  # how they are signed, split into files, and removed
    telemetry: TelemetrySettings | None  # metrics, spans, logs; None: as they are by default
    sandbox: SandboxSettings

    def policy(self, *, now: float, host: Host = NO_HOST) -> Policy:
        """Compile the snapshot that decides for this run; `now` in seconds since the epoch."""
        return compile_policy(self.spec, now=now, host=host)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectProfile:
    """What one profile of a project's file comes to beside its user's."""

    name: str
    layer: LayerPolicy
    wider: tuple[Rule | Block, ...]  # what `[projects]` gives it beyond the user's own rules


def load_settings(  # noqa: PLR0913  # where each layer is looked for
    options: RunOptions,
    environ: Mapping[str, str],
    *,
    managed_file: Path = MANAGED_FILE,
    managed_owner: int = 0,
    directory: Path | None = None,
    user: bytes | None = None,
) -> Settings:
    """Read all layers. Raises `InvalidSettings` with every problem that was found.

    `directory` is where the project is looked for: the working directory. `options` without a
    command serve whoever wants to know the policy and to run nothing. `user` is taken in place of
    what the user's file holds.
    """
    home = home_of(environ)
    files = read_files(
        config=options.config,
        with_project=not options.no_project,
        directory=directory or working_directory(),
        home=home,
        environ=environ,
        managed=Managed(path=managed_file, owner=managed_owner),
        user_content=user,
    )
    problems: list[str] = []
    read = _Reader(environ=environ, home=home, document=files.user, problems=problems)
    settings = _merge(options, files, read)
    if problems:
        raise InvalidSettings(tuple(problems))
    return settings


def check_project(
    found: ProjectFile,
    options: RunOptions,
    environ: Mapping[str, str],
    *,
    managed_file: Path = MANAGED_FILE,
    managed_owner: int = 0,
) -> tuple[ProjectProfile, ...]:
    """Every profile of a project's file, if all go with the layers around it here.

    Raises `InvalidSettings` with what does not. Trusts nothing, and reads no other project.
    """
    files = read_files(
        config=options.config,
        with_project=False,
        directory=found.path.parent,
        home=home_of(environ),
        environ=environ,
        managed=Managed(path=managed_file, owner=managed_owner),
    )
    project = project_document(found)
    _, user, _ = chosen_profiles(options.profile, files.user, None)
    problems = [
        problem
        for layer in project.profiles.values()
        for problem in _violations(
            (user, layer) if user else (layer,), replace(files, project=project), options
        )
    ]
    if problems:
        raise InvalidSettings(tuple(dict.fromkeys(problems)))
    from netproxy.policy.bounds import widened

    mine = user or LayerPolicy(layer=Layer.USER)
    return tuple(
        ProjectProfile(name=name, layer=layer, wider=tuple(widened(layer, mine)))
        for name, layer in project.profiles.items()
    )


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


def _merge(options: RunOptions, files: LayerFiles, read: _Reader) -> Settings:
    """Lay the layers over each other, and note what goes beyond a bound."""
    document = files.user
    name, user, project = chosen_profiles(options.profile, files.user, files.project)
    user = with_reached(user, document)
    written = tuple(layer for layer in (user, project) if layer is not None)
    layers = (*written, _command_line(options, document, written, read.problems))
    read.problems.extend(_violations(layers, files, options))
    read.problems.extend(service_problems(document, options.sandbox))
    layers = with_managed(layers, files.bounds)
    return Settings(
        command=options.command,
        config_file=options.config,
        profile=name,
        user_profile=own_profile(options.profile, document),
        sources=files.sources,
        warnings=files.warnings,
        spec=laid_over(layers, files.bounds),
        layers=layers,
        ask=options.ask or Ask.TERMINAL,
        approvals=chosen_approvals(document, files.bounds, options.inbox, _surface(read)),
        session_name=options.session,
        timeout_seconds=options.timeout_seconds,
        resolver_hosts={**(document.resolver_hosts if document else {}), **options.resolve},
        resolve_seconds=(document and document.resolve_seconds) or Limits().resolve_seconds,
        limits=document.limits if document else ChosenLimits(),
        routes=_routes(document, read),
        audit_directory=_audit_directory(options, document, read),
        audit_mode=audit_mode(options.audit_mode, files, read.problems),
        sinks=_sinks(options, files, read),
        stall_seconds=document.stall_seconds if document else None,
        max_unexported_bytes=document.max_unexported_bytes if document else None,
        evidence=_evidence(document, read),
        telemetry=chosen_telemetry(document, read.environ, read.problems),
        sandbox=chosen_sandbox(document, options.sandbox, read.path, read.problems),
    )


def _command_line(
    options: RunOptions,
    document: Document | None,
    below: tuple[LayerPolicy, ...],
    problems: list[str],
) -> LayerPolicy:
    on_denial = options.on_denial
    never_asks = options.ask is Ask.NEVER and merged(below).default is Verdict.ASK
    return LayerPolicy(
        layer=Layer.COMMAND_LINE,
        rules=(*_rules(options, document, problems), *reach_rules(options.sandbox)),
        allow_private=tuple(
            Statement(block, _flag(f"--allow-private #{number}"))
            for number, block in enumerate(options.allow_private, start=1)
        ),
        default=Statement(Verdict.DENY, _flag("--ask never")) if never_asks else None,
        on_denial=None if on_denial is None else Statement(on_denial, _flag("--on-denial")),
    )


def _rules(options: RunOptions, document: Document | None, problems: list[str]) -> Iterator[Rule]:
    """The rules of the command line, with the user's bundles in place of their names."""
    for given in options.rules:
        if not isinstance(given, tuple):  # the name of a bundle is one
            yield given
            continue
        from netproxy.policy.bundles import expand

        bundles = document.bundles if document else {}
        try:
            yield from expand(given.name, given.effect, bundles, layer=Layer.COMMAND_LINE)
        except InvalidRule as invalid:
            problems.append(f"{given.key}: {invalid}")


def _flag(key: str) -> Origin:
    return Origin(layer=Layer.COMMAND_LINE, key=key)


def _violations(
    layers: tuple[LayerPolicy, ...], files: LayerFiles, options: RunOptions
) -> Iterator[str]:
    """Say what of the files and of the flags goes beyond a bound."""
    yield from violations(layers, files.user, files.bounds)
    if (bounds := files.bounds) is None:
        return
    yield from sandbox_violations(options.sandbox, bounds)
    yield from service_violations(files.user, options.sandbox, bounds)
    if bounds.may_ask is not None and bounds.forbids_asking and options.ask is Ask.TERMINAL:
        yield f"--ask terminal: {bounds.may_ask.origin.place} forbids to ask"


def _surface(read: _Reader) -> Surface:
    state = places.state_home(read.environ, read.home)
    return Surface(environ=read.environ, home=read.home, state=state, problems=read.problems)


def _routes(document: Document | None, read: _Reader) -> Routes | None:
    if document is None or not (document.parents or document.routes):
        return None
    from netproxy.app.leaving import routes_of

    try:
        return routes_of(document, read.environ, read.home)
    except InvalidSettings as invalid:
        read.problems.extend(invalid.problems)
        return None


def _sinks(options: RunOptions, files: LayerFiles, read: _Reader) -> tuple[SinkSettings, ...]:
    """The collector of the command line or the environment, and whatever the files name."""
    collector = read.collector(options.otlp)
    given = () if collector is None else (collector,)
    said = (
        *(files.bounds.sinks if files.bounds else ()),
        *(files.user.sinks if files.user else ()),
    )
    if not said:
        return given
    from netproxy.app.sinks import sinks_of

    try:
        return sinks_of(said, given, environ=read.environ, home=read.home)
    except InvalidSettings as invalid:
        read.problems.extend(invalid.problems)
        return given


def _audit_directory(options: RunOptions, document: Document | None, read: _Reader) -> Path:
    if options.audit_directory is not None:
        return options.audit_directory
    if document and document.audit_directory is not None:
        return read.path(document.audit_directory, "audit", "directory")
    return places.audit_directory(read.environ, read.home)


def _evidence(document: Document | None, read: _Reader) -> EvidenceSettings:
    if document is None:
        return EvidenceSettings()
    key = document.audit_key
    return EvidenceSettings(
        key=None if key is None else read.path(key, "audit", "key"),
        **document.audit_keeping,  # type: ignore[arg-type]  # whole numbers where bytes are meant
    )
