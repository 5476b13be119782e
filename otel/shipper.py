"""Moves one writer's records to one sink, in order, each until it is delivered or set aside.

A record is set aside only when the sink took others in the same go: an endpoint that refuses
everything is no sink, and the journal waits for one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel.answers import Delivered, TryLater, Unusable
from otel.errors import JournalBroken
from otel.events import ExportState
from otel.redact import visible
from otel.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from otel.answers import Sink
    from otel.backlog import Backlog, Entry
    from otel.backoff import Backoff
    from otel.chain import Record
    from otel.lifetime import Lifetime
    from otel.status_keeper import StatusKeeper

# So many times a sink may refuse parts of a batch before it is asked whether it takes anything. To
# find one bad record among 512 takes ten.
_REFUSALS = 32
_MESSAGE = 200  # a sink's own words in one line of ours


@dataclass(slots=True)
class Report:
    """What the user is told at the end."""

    delivered: int = 0
    rejected: int = 0
    message: str = ""
    failure: str = ""
    set_aside: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Go:
    """What came of one batch so far: its first `done` records have an answer."""

    done: int = 0
    delivered: int = 0
    answered: bool = False  # the sink took a request at all
    refusals: int = 0
    refused: list[tuple[Sequence[Entry], int, str]] = field(default_factory=list)
    later: TryLater | None = None


class Shipper:
    """One sink's share of an exporter."""

    def __init__(  # noqa: PLR0913  # what one sink is made of
        self,
        *,
        backlog: Backlog,
        sink: Sink,
        lifetime: Lifetime,
        backoff: Backoff,
        status: StatusKeeper,
        encode: Callable[[Sequence[Record]], bytes],
        set_aside: Callable[[Sequence[Entry]], None],
    ) -> None:
        """`set_aside` keeps what the sink will never take. Raises OSError and `JournalBroken`."""
        self._backlog = backlog
        self._sink = sink
        self._lifetime = lifetime
        self._backoff = backoff
        self._status = status
        self._encode = encode
        self._set_aside = set_aside
        self.report = Report()

    def run(self, poll_seconds: float) -> None:
        """Ship until the run has ended and everything is delivered, or time is over."""
        while not self._lifetime.is_over():
            ended = self._lifetime.run_ended()  # before reading: its last record is in by then
            batch = self._backlog.next_batch()
            if batch:
                self._ship(batch)
            elif ended:
                break
            else:
                self._status.save()
                self._lifetime.wait(poll_seconds)
        self._status.save()

    def _ship(self, batch: list[Entry]) -> None:
        go = self._deliver(batch)
        later = self._settle(batch, go) or go.later
        if later is None:
            self._backoff.success()
            return
        self.report.failure = later.why
        self._status.failed(later.why)
        self._lifetime.wait(self._backoff.failure(later.after_seconds))

    def _deliver(self, batch: list[Entry]) -> _Go:
        """Send records, in halves where the sink can't use the whole."""
        go = _Go()
        todo: list[list[Entry]] = [batch]
        while todo and go.later is None:
            part = todo.pop()
            body = self._encode([entry.record for entry in part])
            match self._sink.send(body, self._lifetime.patience()):
                case Delivered(rejected=rejected, message=message):
                    go.done += len(part)
                    go.answered = True
                    go.delivered += max(0, len(part) - rejected)
                    if rejected > 0:
                        # OTLP section "Partial Success": it must not be sent again, and nobody
                        # says which ones.
                        go.refused.append((part, rejected, message))
                case TryLater() as later:
                    go.later = later
                case Unusable(why=why):
                    go.refusals += 1
                    if go.refusals == _REFUSALS and not self._takes_any(go, batch[-1]):
                        go.later = TryLater(why=why)
                    elif len(part) == 1:
                        go.done += 1
                        go.refused.append((part, 0, why))
                    else:
                        middle = len(part) // 2
                        todo += [part[middle:], part[:middle]]
        return go

    def _takes_any(self, go: _Go, entry: Entry) -> bool:
        """Whether the sink takes anything: ask with a record from the other end, which comes again.

        An endpoint that refuses everything would else be asked a thousand times in each go.
        """
        if not go.answered:
            body = self._encode([entry.record])
            answer = self._sink.send(body, self._lifetime.patience())
            go.answered = isinstance(answer, Delivered)
        return go.answered

    def _settle(self, batch: list[Entry], go: _Go) -> TryLater | None:
        """Keep what was refused and move on behind what has an answer. Says why it can't."""
        if not go.done:
            return None  # nothing has an answer, so nothing is behind us
        if not go.answered:
            # Whatever was refused is sent again, with the records that come meanwhile.
            return TryLater(why=go.refused[0][2])
        try:
            for part, rejected, why in go.refused:
                self._keep(part, rejected, why)
        except (OSError, JournalBroken) as error:
            return TryLater(why=f"refused records can't be kept: {error}")
        self.report.delivered += go.delivered
        self._backlog.acknowledge(batch[go.done - 1])
        self._status.delivered(go.delivered)
        return None

    def _keep(self, part: Sequence[Entry], rejected: int, why: str) -> None:
        self._set_aside(part)
        tell = any(entry.record.name != ExportState.name for entry in part)
        self._status.rejected(max(1, rejected), visible(why, limit=_MESSAGE), tell=tell)
        if rejected:
            self.report.rejected += rejected
            self.report.message = why or self.report.message
        else:
            self.report.set_aside.append(part[0].record.seq)


def warnings(report: Report, left: int, problems: set[str]) -> list[str]:
    """What went wrong, one line for each thing that did."""
    lines = sorted(problems)
    if report.rejected:
        lines.append(
            f"the collector rejected {report.rejected} records: "
            f"{visible(report.message, limit=_MESSAGE)}"
        )
    if report.set_aside:
        numbers = ", ".join(str(seq) for seq in report.set_aside[:10])
        lines.append(f"the collector can't use {len(report.set_aside)} records (seq {numbers})")
    if left:
        lines.append(
            f"{left} records not delivered ({report.failure or 'out of time'}); they stay in the "
            "journal and are sent by a later run"
        )
    return lines
