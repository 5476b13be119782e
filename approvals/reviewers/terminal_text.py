"""What the terminal reviewer writes: a question as lines, its status line, how it ended. Pure.

Everything that came from the command goes through `otel.visible` here, and nothing else may reach
the terminal. The host stands last above the keys, so that no long text can push it off the screen.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from approvals.model import Scope, Status, Verdict
from approvals.reviewers.columns import clip, head, tail, wrap
from approvals.reviewers.scripts import mixed_scripts
from approvals.reviewers.terminal_keys import GROUP, choices
from otel import visible
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from approvals.model import Answer, Question, Resolution
    from approvals.reviewers.terminal_keys import Choice

# Longer than any command line that a person reads; the kernel allows 128 KiB for one argument.
_TEXT_LIMIT = 4096
# What a host can become when each of its 253 characters is escaped.
_HOST_LIMIT = 2560
_LABEL_COLUMNS = 11
# Below this, lines would hold less than a word beside their labels.
_NARROWEST = 40
# Long texts are cut to this many lines; the details show all of them.
_SHORT_LINES = 2

_PROTOCOLS = {
    "http": "plain HTTP, not encrypted",
    "https": "HTTPS tunnel (CONNECT)",
    "socks5-tcp": "SOCKS5 connection (TCP)",
    "socks5-udp": "SOCKS5 association (UDP)",
    "tcp": "TCP connection without a proxy protocol",
}

_SCOPES = {
    Scope.ONCE: "once",
    Scope.RUN: "for this run",
    Scope.TIME: "for a time",
    Scope.SESSION: "for this session",
    Scope.ALWAYS: "always",
}

# The command's output may have left the terminal in a state that hides or disguises what we
# write: a scroll region of one line, margins, another character set, insert mode, colours. Save
# the cursor first, because leaving a region moves it. Then clear what was painted below.
_PREPARE = "\x1b7\x1b[?69l\x1b[r\x1b8\x1b[4l\x0f\x1b(B\x1b[0m\r\n\x1b[J"
_REST_OF_LINE = "\x1b[K"
_BOLD, _WARNING, _DIM, _PLAIN = "\x1b[1m", "\x1b[1;33m", "\x1b[2m", "\x1b[0m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the terminal can do."""

    columns: int
    moves: bool  # lines can be written over
    colours: bool

    @property
    def wide(self) -> int:
        """Columns to use: the last one stays free, because writing there may wrap."""
        return max(self.columns - 1, _NARROWEST)

    def paint(self, text: str, colour: str) -> str:
        """`text` in a colour, where there are colours."""
        return f"{colour}{text}{_PLAIN}" if self.colours else text


def look(environment: Mapping[str, str], columns: int) -> Look:
    """What TERM promises; NO_COLOR (no-color.org) is obeyed when it is not empty."""
    moves = environment.get("TERM", "dumb") not in {"", "dumb", "unknown"}
    return Look(columns=columns, moves=moves, colours=moves and not environment.get("NO_COLOR", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What stands around a question at the moment."""

    now: float  # seconds since the epoch
    behind: int = 0  # other questions that wait for this one
    group: tuple[Question, ...] = ()  # those of them that can be answered together with it
    beyond: int = 0  # others of the same owner that wait: they come after these
    together: bool = False  # whether the next answer is for all of the group


def question_text(question: Question, style: Look, scene: Scene, *, details: bool) -> str:
    """The whole question, ready to write."""
    lines = [style.paint(_title(style.wide), _BOLD), ""]
    lines += _story(question, style, details=details)
    lines += _where(question, style)
    lines += _group(question, style, scene)
    lines += ["", *_keys(question, style, scene)]
    behind = scene.behind
    if behind:
        more = "1 more question waits" if behind == 1 else f"{behind} more questions wait"
        lines.append(style.paint(f"  {more} after this one.", _DIM))
    start = _PREPARE if style.moves else "\n"
    return start + "\n".join(lines) + "\n"


def status_text(question: Question, style: Look, *, waiting: int, seconds_left: float) -> str:
    """The line below the question: written over each second, or without a clock."""
    minutes, seconds = divmod(max(0, int(seconds_left)), 60)
    clock = f", {minutes}:{seconds:02} left to answer" if style.moves else ""
    state = f"  {_waiting(waiting)}{clock}: "
    room = style.wide - len(state)
    where = tail(_destination(question), room) if room > _LABEL_COLUMNS else ""
    line = head(where + state, style.wide)
    return f"\r{line}{_REST_OF_LINE}" if style.moves else f"{line}\n"


def help_text(question: Question, style: Look) -> str:
    """What to press, in one line, after a key that means nothing."""
    keys = [choice.key for choice in choices(question)]
    text = f"Press one of {' '.join(keys)}, or ? for details. Enter alone answers nothing."
    return "\n" + "\n".join(wrap(text, style.wide)) + "\n"


def answered_text(question: Question, answer: Answer, *, now: float, others: int = 0) -> str:
    """One line that says what the reviewer did, and to how many others of the group."""
    until = "" if answer.seconds is None else f" until {_clock(now + answer.seconds)}"
    more = f" and {others} more of {_owner(question)}" if others else ""
    return f"\nnetproxy: {said(answer)}{until}: {_destination(question)}{more}\n"


def ended_text(question: Question, resolution: Resolution | None) -> str:
    """One line that says why the question is gone without a key."""
    return f"\nnetproxy: {_ended(resolution)}: {_destination(question)}\n"


def waiting_text(question: Question) -> str:
    """One line for a terminal that belongs to another job."""
    where = _destination(question)
    return f"\nnetproxy: a question waits for this job to be in the foreground (fg): {where}\n"


def said(answer: Answer) -> str:
    """`allowed once`, `denied for this session`: what an answer did."""
    verb = "allowed" if answer.verdict is Verdict.ALLOW else "denied"
    if answer.scope is Scope.ONCE and answer.verdict is Verdict.DENY:
        return verb
    return f"{verb} {_SCOPES[answer.scope]}"


def _ended(resolution: Resolution | None) -> str:
    if resolution is None:
        return "the question was withdrawn"
    if (answer := resolution.answer) is not None:
        by = f"{visible(answer.reviewer)} ({visible(answer.channel)})"
        return f"{said(answer)} by {by}"
    ended = "expired" if resolution.status is Status.EXPIRED else "was withdrawn"
    return f"the question {ended}, {visible(resolution.explanation)}"


def _title(columns: int) -> str:
    title = "── netproxy asks: may this command go there? "
    return head(title + "─" * (columns - len(title)), columns)


def _story(question: Question, style: Look, *, details: bool) -> list[str]:
    asking = question.asking
    rows = [
        ("command", asking.command),
        ("directory", asking.directory),
        ("why", asking.explanation),
    ]
    if asking.hint is not None:
        rows.append(("for good", asking.hint))
    if details:
        rows += [("approval", question.approval_id), ("session", question.key.session)]
    lines = _SHORT_LINES if not details else _TEXT_LIMIT
    return [
        line
        for label, text in rows
        for line in _row(label, visible(text, limit=_TEXT_LIMIT), style, lines)
    ]


def _where(question: Question, style: Look) -> list[str]:
    key, shown_as = question.key, question.asking.unicode_host
    rows = [("host", visible(key.host, limit=_HOST_LIMIT))]
    if shown_as is not None and shown_as != key.host:
        rows.append(("shown as", visible(shown_as, limit=_HOST_LIMIT)))
    protocol = _PROTOCOLS.get(key.protocol, visible(key.protocol))
    tail_rows = [("port", str(key.port)), ("protocol", protocol)]
    lines = [line for label, text in rows for line in _row(label, text, style, _TEXT_LIMIT)]
    lines[0] = style.paint(lines[0], _BOLD)
    if shown_as is not None:
        lines += _warning(shown_as, style)
    return lines + [line for label, text in tail_rows for line in _row(label, text, style, 1)]


def _warning(host: str, style: Look) -> list[str]:
    scripts = mixed_scripts(host)
    if not scripts:
        return []
    text = f"WARNING: it mixes {' and '.join(scripts)} letters, as look-alike names do."
    return [style.paint(line, _WARNING) for line in _row("", text, style, _TEXT_LIMIT)]


def _group(question: Question, style: Look, scene: Scene) -> list[str]:
    """What else of the same owner waits; all of it by name when the answer is for all."""
    if not scene.group:
        return []
    more = f"{len(scene.group) + scene.beyond} more of {_owner(question)}"
    if not scene.together:
        return _row("group", f"{more} wait; g answers {_these(scene)} together", style, 2)
    head_rows = _row("with it", f"YOUR ANSWER IS FOR THESE {len(scene.group)}, TOO:", style, 2)
    head_rows[0] = style.paint(head_rows[0], _WARNING)
    names = [_row("", _destination(each), style, _TEXT_LIMIT) for each in scene.group]
    if scene.beyond:
        names.append(_row("", f"and not for {scene.beyond} more of them that wait", style, 2))
    return head_rows + [line for rows in names for line in rows]


def _these(scene: Scene) -> str:
    return f"the first {len(scene.group)} of them" if scene.beyond else "all of them"


def _keys(question: Question, style: Look, scene: Scene) -> list[str]:
    stops = question.asking.stops_on_denial
    rows = [(choice.key, _meaning(choice, question, scene)) for choice in choices(question)]
    if scene.group:
        alone = "answer this one alone"
        these = f"answer {_these(scene)} together with it"
        rows.append((GROUP, alone if scene.together else these))
    rows.append(("?", "show everything that is known about it"))
    interrupt = "the same as d" if stops else "deny, and stop the command"
    lines = [
        f"  {style.paint(key, _BOLD)}  {line}" if first else f"     {line}"
        for key, text in rows
        for first, line in _numbered(wrap(text, style.wide - 5))
    ]
    note = f"Enter alone answers nothing. Ctrl-C: {interrupt}."
    return [*lines, *(style.paint(f"  {line}", _DIM) for line in wrap(note, style.wide - 2))]


def _meaning(choice: Choice, question: Question, scene: Scene) -> str:
    if choice.seconds is not None:
        until = _clock(scene.now + choice.seconds)
        return f"{choice.meaning} for {_span(choice.seconds)}, until {until}"
    lasts = choice.verdict is Verdict.ALLOW and choice.scope is not Scope.ONCE
    if not lasts or question.grant_seconds is None:
        return choice.meaning
    return f"{choice.meaning}, for {_span(question.grant_seconds)} at most"


def _span(seconds: float) -> str:
    """`1 hour`, `20 min`, `90 s`."""
    for size, word in ((3600, "hour"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            count = round(seconds / size)
            return f"{count} {word}{'s' if word == 'hour' and count > 1 else ''}"
    return f"{seconds:g} s"


def _clock(seconds: float) -> str:
    """The time of day where the reviewer sits."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%H:%M")


def _owner(question: Question) -> str:
    return visible(question.asking.group, limit=_HOST_LIMIT)


def _numbered(lines: list[str]) -> list[tuple[bool, str]]:
    return [(index == 0, line) for index, line in enumerate(lines)]


def _row(label: str, text: str, style: Look, lines: int) -> list[str]:
    room = style.wide - _LABEL_COLUMNS - 2
    return [
        f"  {label if first else '':<{_LABEL_COLUMNS}}{line}"
        for first, line in _numbered(clip(text, room, lines))
    ]


def _waiting(waiting: int) -> str:
    if not waiting:
        return "nobody waits now (once: one retry)"
    return "1 request waits" if waiting == 1 else f"{waiting} requests wait"


def _destination(question: Question) -> str:
    return visible(question.key.destination, limit=_HOST_LIMIT)
