"""What the command sees and may use: what `[sandbox]` and the options of `run` come to.

Light, because every run reads it. Which folders are whose is looked up in `netproxy.app.fencing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.app.profile_settings import own_profiles, profile_in_force
from netproxy.app.service_settings import Services, chosen_services
from otel.values import dataclass, field
from sandbox.capture import Capture
from sandbox.inheritance import EnvironmentPolicy, Inherit
from sandbox.limits import Limit, laid_over, read_limit
from sandbox.profile import DEFAULT_PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from netproxy.app.cli.sandbox_options import SandboxOptions
    from netproxy.policy.bounds import Bounds
    from netproxy.policy.loader import Document
    from sandbox.profile import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """What holds for the fence of one run, complete and checked."""

    no_sandbox: bool = False
    files: str = DEFAULT_PROFILE  # the profile that holds
    profiles: tuple[Profile, ...] = ()  # the user's own
    write_paths: tuple[Path, ...] = ()
    read_paths: tuple[Path | str, ...] = ()  # text is an entry as in a profile, maybe a glob
    hide_paths: tuple[Path | str, ...] = ()
    workspaces: tuple[Path, ...] = ()  # beside the one that the run starts in
    dry_run: bool = False
    limits: tuple[Limit, ...] = ()
    environment: EnvironmentPolicy = field(default_factory=EnvironmentPolicy)
    services: Services = field(default_factory=Services)
    capture: Capture = Capture.AUTO


def chosen_sandbox(
    document: Document | None,
    options: SandboxOptions,
    read_path: Callable[..., Path],
    problems: list[str],
) -> SandboxSettings:
    """Lay the user's file and the command line over each other, and note what can't be.

    `read_path(text, *key)` reads a path that stands at that key of the file.
    """
    profiles = own_profiles(document, problems)
    problems.extend(_unenforced(options))
    return SandboxSettings(
        no_sandbox=options.no_sandbox,
        files=profile_in_force(document, options.files, profiles, problems),
        profiles=profiles,
        write_paths=(*_write_paths(document, read_path), *options.write),
        limits=laid_over(_limits(document), options.limits),
        environment=_environment(document, options),
        services=chosen_services(document, options),
        read_paths=options.read,
        hide_paths=options.hide,
        workspaces=options.workspace,
        dry_run=options.dry_run,
        capture=options.capture or _capture(document),
    )


def _unenforced(options: SandboxOptions) -> Iterator[str]:
    """Say what of the command line would be weakened in silence. What only opens, is open."""
    if options.no_sandbox:
        for flag, said in (
            ("--files", options.files), ("--read", options.read), ("--hide", options.hide),
        ):  # fmt: skip
            if said:
                yield f"{flag}: without a sandbox nothing of the disk is kept from the command"


def sandbox_violations(options: SandboxOptions, bounds: Bounds | None) -> Iterator[str]:
    """Say what of the command line goes beyond the managed file."""
    required = bounds.sandbox_required if bounds else None
    if required is not None and required.value and options.no_sandbox:
        yield f"--no-sandbox: {required.origin.place} demands a sandbox"


def _write_paths(document: Document | None, read_path: Callable[..., Path]) -> Iterator[Path]:
    table = document.sandbox if document else None
    for index, text in enumerate(table.write if table else ()):
        yield read_path(text, "sandbox", "write", index)


def _limits(document: Document | None) -> Iterator[Limit]:
    """Those of the file; their amounts were checked when it was read."""
    if document is None or document.sandbox is None:
        return
    for name, amount in document.sandbox.limits.model_dump(exclude_none=True).items():
        yield read_limit(name.replace("_", "-"), amount)


def _environment(document: Document | None, options: SandboxOptions) -> EnvironmentPolicy:
    """Of one name, the last word on the command line counts."""
    last = dict(options.environment)
    named = tuple(name for name, value in last.items() if value is None)
    said = {name: value for name, value in last.items() if value is not None}
    if document is None or document.sandbox is None:
        return EnvironmentPolicy(inherit=options.inherit or Inherit.ALL, named=named, said=said)
    table = document.sandbox.environment
    return EnvironmentPolicy(
        inherit=options.inherit or Inherit(table.inherit),
        default_excludes=table.default_excludes,
        exclude=tuple(table.exclude),
        values=dict(table.set),
        include_only=tuple(table.include_only),
        named=named,
        said=said,
    )


def _capture(document: Document | None) -> Capture:
    table = document.sandbox if document else None
    return Capture(table.capture) if table else Capture.AUTO
