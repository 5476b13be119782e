"""The reviewers that `[approvals]` names: endpoints, programs, rules. Read where there is one.

Whatever is wrong with them is said before anything starts, each with its place in the file.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from approvals.config import AutoRule, CommandSettings, WebhookSettings
from approvals.errors import InvalidEndpoint, InvalidSecret
from approvals.model import Scope, Verdict
from approvals.webhook.signing import parse_secret
from approvals.webhook.urls import is_loopback, parse_url
from netproxy.app.places import config_home
from netproxy.app.secret_file import read_secret
from netproxy.errors import InvalidSettings
from netproxy.model import Destination, Protocol
from netproxy.policy.hosts import shown
from netproxy.policy.index import RuleIndex
from netproxy.policy.rules import Effect, Rule, parse_rule
from otel.values import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from approvals.model import Key
    from netproxy.app.approval_settings import ApprovalSettings, Surface
    from netproxy.policy.approval_tables import Approvals, AutoTable, CommandTable, WebhookTable
    from netproxy.policy.loader import Document

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def reviewers_of(
    settings: ApprovalSettings, document: Document, table: Approvals, surface: Surface
) -> ApprovalSettings:
    """Add the reviewers; what is wrong with one goes to `surface.problems`."""
    reader = _Reader(document, surface)
    reader.refuse_doubles(table)
    if table.webhook and settings.store is None:
        what = "is memory: what endpoints are told and answer has to outlive a crash"
        surface.problems.append(document.problem(("approvals", "store"), what))
    return replace(
        settings,
        webhooks=tuple(reader.webhooks(table.webhook)),
        commands=tuple(reader.commands(table.command)),
        rules=tuple(reader.rules(table.auto)),
    )


@dataclass(frozen=True)
class HostRules:
    """Whether a key is among what rules match. Two that were read from one text are equal."""

    rules: tuple[Rule, ...]

    def __call__(self, key: Key) -> bool:
        """Tell so."""
        destination = Destination(host=key.host, protocol=Protocol(key.protocol), port=key.port)
        return self._index.match(destination) is not None

    @cached_property
    def _index(self) -> RuleIndex:
        return RuleIndex(self.rules)


@dataclass(frozen=True, slots=True)
class _Reader:
    document: Document
    surface: Surface

    def refuse_doubles(self, table: Approvals) -> None:
        """A name is how records and answers tell reviewers of one kind apart."""
        for kind in ("webhook", "command", "auto"):
            names = [each.name for each in getattr(table, kind)]
            for name, count in Counter(names).items():
                if count > 1:
                    last = len(names) - 1 - names[::-1].index(name)
                    self._report((kind, last, "name"), f"{name} is there twice")

    def webhooks(self, tables: list[WebhookTable]) -> Iterator[WebhookSettings]:
        for index, table in enumerate(tables):
            if what := url_problem(table.url, may_be_plain=bool(table.allow_private)):
                self._report(("webhook", index, "url"), f"{shown(table.url)} {what}")
            secrets = self._secrets(("webhook", index, "secret_file"), table.secret_file)
            replies = self._secrets(
                ("webhook", index, "reply_secret_file"), table.reply_secret_file
            )
            if set(secrets) & set(replies):
                what = "holds a secret of secret_file: each direction has its own"
                self._report(("webhook", index, "reply_secret_file"), what)
            yield WebhookSettings(
                name=table.name,
                url=table.url,
                secrets=secrets,
                reply_secrets=replies,
                allow_private=tuple(table.allow_private),
                may_assert=tuple(table.may_assert),
                widest_scope=Scope(table.max_scope),
                timeout_seconds=table.timeout_seconds,
            )

    def commands(self, tables: list[CommandTable]) -> Iterator[CommandSettings]:
        for index, table in enumerate(tables):
            if not Path(table.argv[0]).is_absolute() or any("\0" in word for word in table.argv):
                what = f"{shown(table.argv[0])} is not the absolute path of a program"
                self._report(("command", index, "argv"), what)
            yield CommandSettings(
                name=table.name,
                argv=tuple(table.argv),
                widest_scope=Scope(table.max_scope),
                environment=tuple(table.environment),
                timeout_seconds=table.timeout_seconds,
            )

    def rules(self, tables: list[AutoTable]) -> Iterator[AutoRule]:
        for index, table in enumerate(tables):
            if (table.scope == "time") is not (table.seconds is not None):
                what = 'scope = "time" and seconds go together'
                self._report(("auto", index, "scope"), what)
            effect = Effect(table.verdict)
            yield AutoRule(
                name=table.name,
                matches=HostRules(tuple(parse_rule(text, effect) for text in table.hosts)),
                verdict=Verdict(table.verdict),
                scope=Scope(table.scope),
                seconds=table.seconds,
                cancel=table.cancel,
                hours=table.hours,
                days=None if table.days is None else frozenset(map(_DAYS.index, table.days)),
                limit=table.limit,
                reason=table.reason,
            )

    def _secrets(self, key: tuple[str | int, ...], text: str | None) -> tuple[bytes, ...]:
        if text is None:
            return ()
        path = self.surface.home / text[2:] if text.startswith("~/") else Path(text)
        try:
            return secret_keys(str(key[-1]), path, self.surface.environ, home=self.surface.home)
        except InvalidSettings as invalid:
            for problem in invalid.problems:
                self._report(key, problem.removeprefix(f"{key[-1]}: ").removeprefix(f"{key[-1]} "))
            return ()

    def _report(self, key: tuple[str | int, ...], what: str) -> None:
        self.surface.problems.append(self.document.problem(("approvals", *key), what))


def secret_keys(
    key: str, path: Path, environ: Mapping[str, str], *, home: Path
) -> tuple[bytes, ...]:
    """The keys in a secret file. Raises `InvalidSettings` in lines that begin with `key`."""
    folder = config_home(environ, home)
    lines = read_secret(key, path, folder=folder).decode("ascii", "replace")
    return tuple(_secrets(lines))


def _secrets(text: str) -> Iterator[bytes]:
    """One a line. Raises `InvalidSettings`, without a word of the secret."""
    found = False
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        found = True
        try:
            yield parse_secret(line.strip())
        except InvalidSecret as invalid:
            raise InvalidSettings((f"line {number}: {invalid}",)) from None
    if not found:
        raise InvalidSettings(("holds no whsec_ line",))


def url_problem(text: str, *, may_be_plain: bool) -> str | None:
    """What is wrong with an endpoint's URL, if anything is: a clause after its text."""
    try:
        url = parse_url(text)
    except InvalidEndpoint as invalid:
        return str(invalid)
    if url.is_encrypted or (may_be_plain and url.is_address and is_loopback(url.host)):
        return None
    return "is not https: plain http is for an address of loopback that allow_private names"
