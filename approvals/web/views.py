"""What the pages show, put together from what the inbox knows. Pure.

Texts stay as they are here: whatever a template prints is made visible and escaped on the way
(`approvals.web.rendering`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from approvals.model import Status, Verdict
from approvals.reviewers.scripts import mixed_scripts
from approvals.web import words
from approvals.web.choices import offered
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from approvals.model import Key, Pending, Question, Record, Story
    from approvals.web.choices import Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A destination, so that nobody takes it for another."""

    key: Key
    unicode_host: str | None

    @property
    def protocol(self) -> str:
        """In words."""
        return words.protocol(self.key.protocol)

    @property
    def shown_as(self) -> str | None:
        """How others write the name, where that differs."""
        return None if self.unicode_host == self.key.host else self.unicode_host

    @property
    def scripts(self) -> str:
        """The writing systems that one label mixes, as look-alike names do; else nothing."""
        return " and ".join(mixed_scripts(self.unicode_host or ""))


def place(question: Question) -> Place:
    """The destination of a question."""
    return Place(key=question.key, unicode_host=question.asking.unicode_host)


def waiting(pending: Pending) -> str:
    """How many requests are held."""
    match pending.waiting:
        case 0:
            return "nobody waits any more; a retry could still be let through"
        case 1:
            return "1 request waits"
        case many:
            return f"{many} requests wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One open question."""

    pending: Pending
    choices: tuple[Choice, ...]

    @property
    def id(self) -> str:
        """The approval's."""
        return self.pending.question.approval_id

    @property
    def place(self) -> Place:
        """Where to."""
        return place(self.pending.question)

    @property
    def item(self) -> str:
        """What an answer says that it was given to."""
        return Item.of(self.pending).text

    @property
    def session(self) -> str:
        """Whose memory the answer goes into."""
        asking = self.pending.question.asking
        return asking.session_name or asking.key.session

    @property
    def waiting(self) -> str:
        """How many are held."""
        return waiting(self.pending)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Questions of one session about hosts of one owner. Mostly it is one question."""

    name: str
    rows: tuple[Row, ...]
    choices: tuple[Choice, ...]  # for all of them together

    @property
    def id(self) -> str:
        """The same while it stands."""
        key = self.rows[0].pending.question.key
        return f"{key.session} {self.name}"

    @property
    def is_group(self) -> bool:
        """Whether there is something to answer together."""
        return len(self.rows) > 1

    @property
    def command(self) -> str | None:
        """The one that asks for all of it; None where there are several."""
        commands = {row.pending.question.asking.command for row in self.rows}
        return commands.pop() if len(commands) == 1 else None

    @property
    def title(self) -> str:
        """`14 hosts of pythonhosted.org`."""
        hosts = {row.pending.question.key.host for row in self.rows}
        if len(hosts) == 1:
            return f"{len(self.rows)} ways to {next(iter(hosts))}"
        return f"{len(hosts)} hosts of {self.name}"


def blocks(pending: Iterable[Pending], now: float, policy_file: str) -> Iterator[Block]:
    """Open questions by session and owner, in the order in which each owner was first asked of.

    One after the other: with many of them, a caller wants to do something else in between.
    """
    together: dict[tuple[str, str], list[Pending]] = {}
    for each in pending:
        asking = each.question.asking
        together.setdefault((asking.key.session, asking.group), []).append(each)
    for (_, name), found in together.items():
        yield _block(name, found, now, policy_file)


def row(pending: Pending, now: float, policy_file: str) -> Row:
    """One open question with what may be answered."""
    choices = offered([pending.question], waiting=pending.waiting, now=now, policy_file=policy_file)
    return Row(pending=pending, choices=choices)


def _block(name: str, pending: Sequence[Pending], now: float, policy_file: str) -> Block:
    held = sum(each.waiting for each in pending)
    return Block(
        name=name,
        rows=tuple(row(each, now, policy_file) for each in pending),
        choices=offered(
            [each.question for each in pending], waiting=held, now=now, policy_file=policy_file
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One question as it stood on the page that an answer comes from."""

    approval_id: str
    version: int
    joined: int
    digest: str

    @classmethod
    def of(cls, pending: Pending) -> Item:
        """As it stands now."""
        return cls(
            approval_id=pending.question.approval_id,
            version=pending.version,
            joined=pending.joined,
            digest=pending.question.digest,
        )

    @property
    def text(self) -> str:
        """As a form carries it."""
        return f"{self.approval_id}:{self.version}:{self.joined}:{self.digest}"


def read_item(text: str) -> Item | None:
    """What a form carried; None for what none of ours does."""
    parts = text.split(":")
    match parts:
        case [approval_id, version, joined, digest] if _is_number(version) and _is_number(joined):
            return Item(
                approval_id=approval_id, version=int(version), joined=int(joined), digest=digest
            )
    return None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10  # noqa: PLR2004  # nine digits are enough for any of ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of a question's story."""

    at: float
    text: str
    comment: str | None = None


def timeline(story: Story) -> tuple[Step, ...]:
    """What happened to a question, oldest first."""
    record, grant = story.record, story.grant
    steps = [Step(at=record.question.created_at, text=f"asked by {record.question.asking.run}")]
    if record.ended_at is not None:
        comment = None if record.answer is None else record.answer.comment
        steps.append(Step(at=record.ended_at, text=words.ended(record), comment=comment))
    if grant is not None and record.status is Status.REVOKED:
        steps.append(Step(at=record.ended_at or grant.created_at, text="taken back"))
    return tuple(steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which decisions somebody wants to see."""

    host: str = ""
    outcome: str = ""  # allowed | denied | unanswered; empty: all

    def fits(self, record: Record) -> bool:
        """Whether this is one of them."""
        key, asking = record.question.key, record.question.asking
        names = f"{key.host} {asking.unicode_host or ''}"
        return self.host.lower() in names and self.outcome in {"", outcome(record)}


OUTCOMES = ("allowed", "denied", "unanswered")


def outcome(record: Record) -> str:
    """What was said; the status goes on to tell what became of a yes."""
    if record.answer is None:
        return "unanswered"
    return "allowed" if record.answer.verdict is Verdict.ALLOW else "denied"
