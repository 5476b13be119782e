"""The files that policy is read from: managed, the user's, the project's. Each is read once.

Which statement wins is `netproxy.policy.layers`; what may be said at all `netproxy.policy.bounds`.
No variable of the environment moves the managed file.
"""

from __future__ import annotations

import stat
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from netproxy.app import places
from netproxy.app.regular_file import read_regular
from netproxy.errors import InvalidSettings
from netproxy.policy.hosts import shown
from netproxy.policy.layers import LayerPolicy, merged
from netproxy.policy.origin import Layer
from netproxy.policy.spelling import nearest
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from netproxy.app.project import ProjectFile
    from netproxy.policy.bounds import Bounds
    from netproxy.policy.loader import Document
    from netproxy.policy.spec import PolicySpec

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file that was read, and exactly what it held."""

    path: Path
    layer: Layer
    sha256: str  # of its content, in hexadecimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Managed:
    """Where the managed file is, and to whom it has to belong."""

    path: Path = Path("/etc/netproxy/requirements.toml")
    owner: int = 0


MANAGED = Managed()


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFiles:
    """What was found. None: there is no such file."""

    user: Document | None
    project: Document | None
    bounds: Bounds | None
    sources: tuple[Source, ...]
    warnings: tuple[str, ...]  # what was passed over


def read_files(  # noqa: PLR0913  # where each layer is looked for
    *,
    config: Path | None,
    with_project: bool,
    directory: Path,
    home: Path,
    environ: Mapping[str, str],
    managed: Managed = MANAGED,
    user_content: bytes | None = None,
) -> LayerFiles:
    """Read every layer's file. Raises `InvalidSettings` with all that is wrong in all of them.

    `user_content` is taken in place of what the user's file holds.
    """
    from netproxy.app import project as projects
    from netproxy.app.trust import TrustStore

    problems: list[str] = []
    sources: list[Source] = []
    bounds, user, project, search = None, None, None, projects.Search()
    try:
        if (content := _managed_content(managed)) is not None:
            sources.append(_source(managed.path, Layer.MANAGED, content))
            bounds = _bounds(content, managed.path)
    except InvalidSettings as invalid:
        problems += invalid.problems
    usual = places.config_home(environ, home) / "config.toml"
    try:
        if (content := user_content or _user_content(config, usual)) is not None:
            sources.append(_source(config or usual, Layer.USER, content))
            user = _document(content, config or usual, Layer.USER)
    except InvalidSettings as invalid:
        problems += invalid.problems
    try:
        if with_project:
            search = projects.find(directory, home, TrustStore(places.state_home(environ, home)))
        if search.file is not None:
            sources.append(_source(search.file.path, Layer.PROJECT, search.file.content))
            project = project_document(search.file)
    except InvalidSettings as invalid:
        problems += invalid.problems
    if problems:
        raise InvalidSettings(tuple(problems))
    return LayerFiles(
        user=user,
        project=project,
        bounds=bounds,
        sources=tuple(sources),
        warnings=search.warnings,
    )


def project_document(file: ProjectFile) -> Document:
    """What a project's file says. Raises `InvalidSettings`."""
    return _document(file.content, file.path, Layer.PROJECT)


def violations(
    layers: Iterable[LayerPolicy], user: Document | None, bounds: Bounds | None
) -> Iterator[str]:
    """Say what goes beyond the managed file, and what of a project beyond its user."""
    by_layer = {layer.layer: layer for layer in layers}
    if Layer.PROJECT not in by_layer and bounds is None:
        return  # the usual case imports nothing more
    from netproxy.policy.bounds import ProjectRoom, managed_violations, project_violations

    if Layer.PROJECT in by_layer:
        room = ProjectRoom(
            user=by_layer.get(Layer.USER, LayerPolicy(layer=Layer.USER)),
            allow=user.project_allow if user else (),
            allow_private=user.project_allow_private if user else (),
            said_at=user.origin(("projects",)) if user else None,
        )
        yield from project_violations(by_layer[Layer.PROJECT], room)
    if bounds is not None:
        for layer in by_layer.values():
            yield from managed_violations(layer, bounds)


def with_managed(layers: tuple[LayerPolicy, ...], bounds: Bounds | None) -> tuple[LayerPolicy, ...]:
    """Add what the managed file itself sets, as the strongest layer."""
    if bounds is None:
        return layers
    from netproxy.policy.bounds import managed_layer

    return (*layers, managed_layer(layers, bounds))


def laid_over(layers: Iterable[LayerPolicy], bounds: Bounds | None) -> PolicySpec:
    """Make one policy of layers that violate nothing."""
    if bounds is None:
        return merged(layers)
    from netproxy.policy.bounds import bounded

    return bounded(layers, bounds)


def chosen_profiles(
    name: str | None, user: Document | None, project: Document | None
) -> tuple[str | None, LayerPolicy | None, LayerPolicy | None]:
    """Choose the profile of each file: by the given name, else what the file itself says."""
    documents = [document for document in (user, project) if document is not None]
    if name is not None and not any(name in document.profiles for document in documents):
        raise InvalidSettings((_no_profile(name, documents),))
    of_user = own_profile(name, user)
    of_project = own_profile(name, project)
    return (
        name or of_user or of_project,
        user.profiles[of_user] if user and of_user else None,
        project.profiles[of_project] if project and of_project else None,
    )


def own_profile(name: str | None, document: Document | None) -> str | None:
    """Choose which profile of a file holds; None where it has none. Raises `InvalidSettings`.

    Never guesses between several: one may hold the denials.
    """
    if document is None:
        return None
    profiles = document.profiles
    if name is not None and name in profiles:
        return name
    if document.default_profile is None and len(profiles) <= 1:
        return next(iter(profiles), None)
    default = document.default_profile
    if default is None:
        what = f"is missing: say which of {', '.join(profiles)} holds, or give --profile"
        raise InvalidSettings((document.problem(("default_profile",), what),))
    if default not in profiles:
        what = f"there is no profile {shown(default)}{nearest(default, profiles)}"
        raise InvalidSettings((document.problem(("default_profile",), what),))
    return default


def _no_profile(name: str, documents: list[Document]) -> str:
    if not documents:
        return f"profile {shown(name)}: there is no settings file"
    known = [profile for document in documents for profile in document.profiles]
    files = " and ".join(document.name for document in documents)
    has = "has" if len(documents) == 1 else "have"
    return f"profile {shown(name)}: {files} {has} no such profile{nearest(name, known)}"


def _source(path: Path, layer: Layer, content: bytes) -> Source:
    return Source(path=path, layer=layer, sha256=sha256(content).hexdigest())


def _user_content(config: Path | None, usual: Path) -> bytes | None:
    """Read the user's usual file if there is one, or the given one, which must be there."""
    path = config or usual
    try:
        return path.read_bytes()
    except FileNotFoundError:
        if config is None:
            return None
        raise InvalidSettings((f"{path}: there is no such file",)) from None
    except (OSError, ValueError) as error:
        raise InvalidSettings((f"{path}: can't be read: {_cause(error)}",)) from None


def _managed_content(managed: Managed) -> bytes | None:
    """Read the managed file, which nobody but the administrator may be able to write."""
    path = managed.path
    try:
        content, found = read_regular(path)
    except FileNotFoundError:
        if path.is_symlink():
            raise InvalidSettings((f"{path}: is a link to nothing",)) from None
        return None
    if found.st_uid != managed.owner or found.st_mode & _OTHERS_WRITE:
        what = "must belong to root, and nobody else may be able to write it"
        raise InvalidSettings((f"{path}: {what}",))
    return content


def _bounds(content: bytes, path: Path) -> Bounds:
    from netproxy.policy.reading import decoded
    from netproxy.policy.requirements import load_requirements

    return load_requirements(decoded(content, str(path)), str(path))


def _document(content: bytes, path: Path, layer: Layer) -> Document:
    from netproxy.policy.loader import load
    from netproxy.policy.reading import decoded

    return load(decoded(content, str(path)), str(path), layer=layer)


def _cause(error: Exception) -> str:
    strerror = error.strerror if isinstance(error, OSError) else None
    return (strerror or str(error)).lower()
