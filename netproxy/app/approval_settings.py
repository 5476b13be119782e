"""Who is asked, for how long, and how far an answer may reach: what `[approvals]` comes to.

Light, because every run reads it: what stands in tables of its own is read by
`netproxy.app.reviewer_settings`, only where there is one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from netproxy.app.listening import ListenAddress, parse_listen
from netproxy.errors import InvalidDestination
from netproxy.policy.hosts import shown
from otel.values import dataclass, field, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from approvals.config import AutoRule, CommandSettings, Config, WebhookSettings
    from netproxy.policy.approval_tables import Approvals
    from netproxy.policy.bounds import Bounds
    from netproxy.policy.layers import Statement
    from netproxy.policy.loader import Document

# The store that is a file here or nowhere.
MEMORY = "memory"
_DATABASE = "approvals.db"
# Those of `approvals.Config` that a file may set.
_CONFIGURABLE = {"hold_seconds", "answerable_seconds", "lease_seconds", "max_pending", "max_new"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalSettings:
    """What holds for the questions of one gateway, complete and checked."""

    chosen: Mapping[str, float] = field(default_factory=dict)  # fields of `Config`, as a file says
    hold_seconds_http: float | None = None  # None: as for all listeners
    hold_seconds_socks: float | None = None
    widest_scope: str | None = None  # the administrator's bound; None: any
    longest_seconds: float | None = None  # of a yes; None: as long as its scope
    store: Path | None = None  # None: kept in memory, and gone with the gateway
    inbox: ListenAddress | None = None  # None: nothing listens
    public_url: str | None = None
    webhooks: tuple[WebhookSettings, ...] = ()
    commands: tuple[CommandSettings, ...] = ()
    rules: tuple[AutoRule, ...] = ()

    def config(self) -> Config:
        """What the service is told."""
        from approvals.config import Config
        from approvals.model import Scope

        config = Config(
            **self.chosen,  # type: ignore[arg-type]  # whole numbers where numbers of things are meant
            grant_seconds=self.longest_seconds,
        )
        return replace(config, widest_scope=Scope(self.widest_scope or Scope.ALWAYS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """What of the surroundings `[approvals]` is read with."""

    environ: Mapping[str, str]
    home: Path
    state: Path  # our folder for what survives a restart
    problems: list[str]  # where those are put that are found


def chosen_approvals(
    document: Document | None,
    bounds: Bounds | None,
    inbox: ListenAddress | None,
    surface: Surface,
) -> ApprovalSettings:
    """Lay the user's file, `--inbox` and the managed file over each other."""
    table = document.approvals if document else None
    settings = ApprovalSettings(
        widest_scope=_value(bounds.max_scope if bounds else None),
        longest_seconds=_value(bounds.max_seconds if bounds else None),
        store=surface.state / _DATABASE,
        inbox=inbox,
    )
    if document is None or table is None:
        return settings
    reader = _Reader(document, table, surface)
    settings = replace(
        settings,
        chosen=table.model_dump(include=_CONFIGURABLE, exclude_none=True),
        hold_seconds_http=table.hold_seconds_http,
        hold_seconds_socks=table.hold_seconds_socks,
        store=reader.store(settings.store),
        inbox=inbox or reader.inbox(),
        public_url=reader.public_url(),
    )
    reader.check_order(settings)
    if not (table.webhook or table.command or table.auto):
        return settings
    from netproxy.app.reviewer_settings import reviewers_of

    return reviewers_of(settings, document, table, surface)


def parse_inbox(text: str) -> ListenAddress:
    """Read where the inbox listens. Raises `InvalidDestination`: nobody but this host gets it."""
    address = parse_listen(text)
    if not address.is_loopback or address.profile is not None:
        raise InvalidDestination(f"{shown(text)} is not an address of this host's loopback")
    return address


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the single values that pydantic can't judge."""

    document: Document
    table: Approvals
    surface: Surface

    def store(self, usual: Path | None) -> Path | None:
        given = self.table.store
        if given is None:
            return usual
        if given == MEMORY:
            return None
        path = self.surface.home / given[2:] if given.startswith("~/") else Path(given)
        if not path.is_absolute() or "\0" in given:
            self._report("store", f"{shown(given)} is neither 'memory', absolute, nor below ~/")
        elif self.surface.home.is_relative_to(path.parent):
            self._report("store", "needs a folder of its own: commands can't see it")
        return path

    def inbox(self) -> ListenAddress | None:
        return self._read("inbox", self.table.inbox, parse_inbox)

    def public_url(self) -> str | None:
        return self._read("public_url", self.table.public_url, _public_url)

    def check_order(self, settings: ApprovalSettings) -> None:
        """A question that ends before its connection is let go would end nothing well."""
        config = settings.config()
        holds = {
            "hold_seconds": config.hold_seconds,
            "hold_seconds_http": settings.hold_seconds_http,
            "hold_seconds_socks": settings.hold_seconds_socks,
        }
        for key, seconds in holds.items():
            if seconds is not None and seconds > config.answerable_seconds:
                is_said = getattr(self.table, key) is not None
                what = f"{key} is {seconds:g}, longer than answerable_seconds"
                what += f", {config.answerable_seconds:g}"
                self._report(key if is_said else "answerable_seconds", what)

    def _read[Value](
        self, key: str, text: str | None, parse: Callable[[str], Value]
    ) -> Value | None:
        try:
            return None if text is None else parse(text)
        except InvalidDestination as invalid:
            self._report(key, str(invalid))
            return None

    def _report(self, key: str, what: str) -> None:
        self.surface.problems.append(self.document.problem(("approvals", key), what))


def _public_url(text: str) -> str:
    if not _is_origin(text.removesuffix("/")):
        raise InvalidDestination(f"{shown(text)} is not https://HOST or https://HOST:PORT")
    return text.removesuffix("/")


def _is_origin(text: str) -> bool:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    bare = f"https://{parts.netloc}"
    return (
        text == bare and "@" not in text and bool(parts.hostname) and port != 0 and _is_plain(text)
    )


def _is_plain(text: str) -> bool:
    return text.isprintable() and " " not in text


def _value[Value](said: Statement[Value] | None) -> Value | None:
    return None if said is None else said.value
