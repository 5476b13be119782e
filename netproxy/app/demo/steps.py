"""The steps of the demo: what is typed, what must come of it, and what the journal must say.

Each step compares what it claims with what happened: exit status, content, visits that the origins
counted, and records of the journal.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import time
from itertools import groupby
from typing import TYPE_CHECKING

from netproxy.app.demo import goods
from netproxy.app.demo.site import ADDRESS
from netproxy.app.demo.story import LOCAL, ClaimFailed
from otel import attributes as a
from otel.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.app.demo.stage import Finished, Stage
    from netproxy.app.demo.story import Story

SHOP, CODE, PACKAGES = "shop.test", "code.test", "packages.test"
NEWS, TRACKER = "news.test", "tracker.test"
# Not `pip`: a version manager's stand-in for it writes outside the working directory.
PIP = "python3 -m pip"
NAMES = (SHOP, CODE, PACKAGES, NEWS, TRACKER)
_PRIVATE = ("--allow-private", "127.0.0.0/8")

EXIT_DENIED = os.EX_NOPERM
# TEST-NET-1 (RFC 5737): nobody's address, so a packet that got out would disturb nobody.
_ELSEWHERE = "192.0.2.1"
# The question is deaf for half a second; a person needs about as long to read one line.
_READING_SECONDS = 0.9
# A connection that nobody answers costs minutes. A refusal comes at once, but the run that it comes
# to takes seconds to start on a busy machine.
_AT_ONCE_SECONDS = 15.0
_QUESTION = "netproxy asks: may this command go there?"
_PROMPT = "left to answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One record that the journal must hold, in this order."""

    host: str
    decision: str
    reason: str


@dataclass(slots=True)
class Play:
    """One performance: where, told by whom, and what must be on record by now."""

    stage: Stage
    story: Story
    expected: list[Expected] = field(default_factory=list)

    def url(self, host: str, path: str = "/") -> str:
        """Where an origin of the demo is."""
        return f"http://{host}:{self.stage.site.port}{path}"

    def rule(self, host: str) -> str:
        """The rule that names exactly one origin."""
        return f"{host}:{self.stage.site.port}"

    def put(self, host: str, text: str) -> str:
        """Serve a page that nobody could have printed without fetching it."""
        page = f"{text} (page {secrets.token_hex(3)})\n"
        self.stage.site.pages[host, "/"] = page.encode()
        return page

    def run(self, *options: str, command: tuple[str, ...]) -> Finished:
        """`netproxy run`, shown as typed, with what it wrote."""
        self.story.typed(("netproxy", "run", LOCAL, *options, "--", *command))
        done = self.stage.netproxy("run", *local_options(), *options, "--", *command)
        self.story.shown(done.text)
        return done

    def expect(self, host: str, decision: str, reason: str) -> None:
        """Claim that the newest decision on record is this one."""
        wanted = Expected(host=host, decision=decision, reason=reason)
        self.expected.append(wanted)
        records = _recorded(self.stage.decisions())
        self.story.claim(
            f"the journal says: {decision} {host}, {reason}",
            holds=records == self.expected,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A part of the demo that can be left out where a program is missing."""

    title: str
    needs: tuple[str, ...]
    perform: Callable[[Play], None]


def local_options() -> tuple[str, ...]:
    """What `$LOCAL` stands for: where the names are, and that they may be there."""
    pins = [word for name in NAMES for word in ("--resolve", f"{name}={ADDRESS}")]
    return (*pins, *_PRIVATE)


def allowed_site(play: Play) -> None:
    """A rule says yes."""
    page = play.put(SHOP, "Welcome to the shop")
    play.story.say("The rule names the site, so nobody is asked.")
    rule = ("--allow", play.rule(SHOP))
    done = play.run(*rule, command=("curl", "-sS", play.url(SHOP)))
    play.story.claim(f"exit status {done.status}, curl's own", holds=done.status == 0)
    play.story.claim("the page is the one that the site serves", holds=done.text == page)
    play.expect(SHOP, "allow", "allowed_by_rule")


def git_clone(play: Play) -> None:
    """A tool that is told of the proxy by the environment only."""
    text = f"made for this demo {secrets.token_hex(3)}\n"
    pages = goods.repository(play.stage.folder / "git", play.stage.environment, text)
    play.stage.site.pages.update(((CODE, path), page) for path, page in pages.items())
    play.story.say("git finds the proxy by itself: its variables are set inside.")
    rule = ("--allow", play.rule(CODE))
    source = play.url(CODE, f"/{goods.REPOSITORY}")
    done = play.run(*rule, command=("git", "clone", "-q", source))
    play.story.claim(f"exit status {done.status}, git's own", holds=done.status == 0)
    cloned = play.stage.workspace / "tool" / "README"
    play.story.claim(
        "the clone is in the working directory",
        holds=cloned.is_file() and cloned.read_text() == text,
    )
    play.expect(CODE, "allow", "allowed_by_rule")


def pip_install(play: Play) -> None:
    """A package from an index."""
    text = f"# made for this demo {secrets.token_hex(3)}\n"
    pages = goods.package_index(text)
    play.stage.site.pages.update(((PACKAGES, path), page) for path, page in pages.items())
    play.story.say("pip installs from a package index of the demo's own.")
    rule = ("--allow", play.rule(PACKAGES))
    index = ("--index-url", play.url(PACKAGES, "/simple/"), "--trusted-host", PACKAGES)
    command = (*PIP.split(), "install", "-q", "--target", "site", *index, goods.PACKAGE)
    done = play.run(*rule, command=command)
    play.story.claim(f"exit status {done.status}, pip's own", holds=done.status == 0)
    installed = play.stage.workspace / "site" / goods.MODULE
    play.story.claim(
        "the package is installed", holds=installed.is_file() and installed.read_text() == text
    )
    play.expect(PACKAGES, "allow", "allowed_by_rule")


def question(play: Play) -> None:
    """No rule: somebody is asked, once."""
    page = play.put(NEWS, "All the news")
    play.story.say(
        "No rule matches, so netproxy asks on the terminal while the command waits. The demo plays "
        "the person: a real pseudo-terminal, and one key. The same place again is not asked about."
    )
    fetch = f"curl -sS {play.url(NEWS)}"
    command = ("sh", "-c", f"{fetch}; {fetch}")
    play.story.typed(("netproxy", "run", LOCAL, "--", *command))
    screen_text, status = _answered(play, command)
    asked = screen_text.count(_QUESTION)
    play.story.claim(f"questions asked: {asked}, for two requests", holds=asked == 1)
    fetched = screen_text.replace("\r\n", "\n").count(page)
    play.story.claim(f"pages fetched: {fetched}", holds=fetched == 2)  # noqa: PLR2004  # both requests
    play.story.claim(f"exit status {status}", holds=status == 0)
    # Both are on record by now, so the first alone would not be the newest.
    play.expected.append(Expected(host=NEWS, decision="allow", reason="approved"))
    play.expect(NEWS, "allow", "allowed_by_grant")


def _answered(play: Play, command: tuple[str, ...]) -> tuple[str, int | None]:
    """Run it in front of a person who presses `s`; all that was shown, and the exit status."""
    with play.stage.at_a_terminal("run", *local_options(), "--", *command) as person:
        if not person.sees(_PROMPT):
            raise ClaimFailed(f"no question appeared, but this: {person.screen!r}")
        time.sleep(_READING_SECONDS)
        question_text = person.screen
        play.story.shown(question_text)
        play.story.aside("the demo presses s")
        person.presses("s")
        status = person.leaves()
        # The status line is written over each second, so what follows begins behind it.
        play.story.shown(person.screen[len(question_text) :].partition("\n")[2])
        return person.screen, status


def denial(play: Play) -> None:
    """A no ends the command and everything that it started."""
    work = (SHOP, "/work")
    seen: list[int] = []

    def count() -> bytes:
        seen.append(play.stage.processes())
        return b"working\n"

    play.stage.site.pages[work] = count
    play.put(TRACKER, "Nobody reads this")
    play.story.say(
        "A command works, leaves something running in the background, and then goes where a rule "
        "says no. By default a denial ends the whole command (--on-denial cancel)."
    )
    script = f"sleep 600 & curl -sS {play.url(*work)}; curl -sS {play.url(TRACKER)}; wait"
    rules = ("--allow", play.rule(SHOP), "--deny", TRACKER)
    done = play.run(*rules, command=("sh", "-c", script))
    play.story.claim(f"exit status {done.status}, for a denial", holds=done.status == EXIT_DENIED)
    closing = done.text.rstrip("\n").rpartition("\n")[2]
    play.story.claim(f"the last line names {TRACKER}", holds=TRACKER in closing)
    play.story.claim(
        f"the command ended after {done.seconds:.1f} s, not 600",
        holds=done.seconds < _AT_ONCE_SECONDS,
    )
    visits = play.stage.site.visits_of(TRACKER)
    play.story.claim(f"visits to {TRACKER}: {visits}", holds=visits == 0)
    left, before = play.stage.processes(), max(seen, default=0)
    play.story.claim(
        f"processes in the sandbox: {before} at work, {left} after the denial",
        holds=before > 2 and left == 0,  # noqa: PLR2004  # the shell, sleep and curl
    )
    play.expected.append(Expected(host=SHOP, decision="allow", reason="allowed_by_rule"))
    play.expect(TRACKER, "deny", "denied_by_rule")


def direct(play: Play) -> None:
    """Around the proxy the same rules hold, or there is nothing."""
    play.story.say(
        "Commands that ignore the proxy: curl is told to use none, and is captured, by name, under "
        "the same rule. A program opens a socket to an address elsewhere, and is refused."
    )
    if not play.stage.captures():
        _nothing_around(play)
        return
    page = play.put(SHOP, "The shop once more")
    rule = ("--allow", play.rule(SHOP))
    done = play.run(*rule, command=("curl", "-sS", "--noproxy", "*", play.url(SHOP)))
    play.story.claim("the page is the one that the site serves", holds=done.text == page)
    play.expect(SHOP, "allow", "allowed_by_rule")
    done = _connects_elsewhere(play)
    play.story.claim(
        f"exit status {done.status}, for a denial, in {done.seconds:.1f} s",
        holds=done.status == EXIT_DENIED and done.seconds < _AT_ONCE_SECONDS,
    )
    play.expect(_ELSEWHERE, "deny", "not_allowed_local")


def _nothing_around(play: Play) -> None:
    """On a host whose kernel captures nothing."""
    play.story.say("This host can capture nothing (netproxy doctor says why): there is no way out.")
    done = _connects_elsewhere(play)
    play.story.claim(
        f"there is no route, known in {done.seconds:.1f} s",
        holds=os.strerror(errno.ENETUNREACH) in done.text and done.seconds < _AT_ONCE_SECONDS,
    )
    recorded = _recorded(play.stage.decisions())
    play.story.claim("no decision was needed, and none was taken", holds=recorded == play.expected)


def _connects_elsewhere(play: Play) -> Finished:
    code = f'import socket; socket.create_connection(("{_ELSEWHERE}", 443)).recv(1)'
    return play.run(command=("python3", "-c", code))


def record(play: Play) -> None:
    """What is left: the journal."""
    play.story.say(
        "Every decision above is on record: one line each, cut at the edge of the screen, and "
        "several requests of one tool in a row are folded here."
    )
    _list_decisions(play)
    records = play.stage.decisions()
    recorded = _recorded(records)
    play.story.claim(f"{len(records)} decisions, as seen above", holds=recorded == play.expected)
    enforced = all(event[a.SANDBOX_ENFORCED] is True for event in records)
    play.story.claim("each says that the sandbox was enforced", holds=enforced)
    _show_one(play)
    play.story.gap()
    play.story.say("Each record carries the SHA-256 of the one before it; verify walks the chain.")
    words = ("audit", "verify")
    play.story.typed(("netproxy", *words))
    done = play.stage.netproxy(*words)
    play.story.shown(done.text)
    play.story.claim("the chain holds", holds=done.status == 0)


def _list_decisions(play: Play) -> None:
    words = ("audit", "query", "--event", "policy_decision")
    play.story.typed(("netproxy", *words))
    done = play.stage.netproxy(*words)
    # Date and time first, then decision and place: lines with the same place follow each other.
    for _, alike in groupby(done.text.splitlines(), key=lambda line: line.split()[2:6]):
        first, *others = alike
        play.story.listed([first])
        if others:
            play.story.listed([f"… and {len(others)} more like it"])


def _show_one(play: Play) -> None:
    play.story.gap()
    play.story.say("The denial in full, as a script or a collector gets it: one line.")
    words = ("audit", "query", "--host", TRACKER, "--json")
    play.story.typed(("netproxy", *words))
    text = play.stage.netproxy(*words).text
    play.story.shown(text)
    rules = [str(json.loads(line)[a.POLICY_RULE]) for line in text.splitlines()]
    play.story.claim(f"it names the rule: {rules[-1]}", holds=rules[-1].startswith(TRACKER))


def _recorded(decisions: list[dict[str, object]]) -> list[Expected]:
    """The decisions, where several in a row that are alike count as one."""
    every = [
        Expected(
            host=str(event[a.SERVER_ADDRESS]),
            decision=str(event[a.POLICY_DECISION]),
            reason=str(event[a.POLICY_REASON]),
        )
        for event in decisions
    ]
    return [one for one, _ in groupby(every)]


STEPS = (
    Step(title="An allowed site", needs=("curl",), perform=allowed_site),
    Step(title="git clone", needs=("git",), perform=git_clone),
    Step(title="pip install", needs=(PIP,), perform=pip_install),
    Step(title="A question, and its answer", needs=("curl",), perform=question),
    Step(title="A denial", needs=("curl",), perform=denial),
    Step(title="Around the proxy", needs=("curl", "python3"), perform=direct),
)
LAST = Step(title="On record", needs=(), perform=record)
