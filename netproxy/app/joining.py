"""`netproxy run` inside a run: the command joins the run that is there, in this very process.

Sandboxes don't nest: a second one would need what the first one takes away. What the options would
widen is not looked at, because the rules of the outer run hold; what they would narrow is refused
where it can't be enforced from here.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from netproxy.app.closing import why_not
from otel import visible
from sandbox import file_size
from sandbox.environment import joined_environment
from sandbox.errors import PlanRefused
from sandbox.inheritance import EnvironmentPolicy, Inherit
from sandbox.limits import refuse_unenforceable
from sandbox.linux import monitor
from sandbox.model import NotStarted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from netproxy.app.cli.run_options import RunOptions

# Who is asked, what a yes or no comes to and where it is recorded is the outer gateway's.
_OUTER_RUNS = frozenset({
    "--allow", "--allow-private", "--resolve", "--write", "--reach", "--expose", "--unix",
    "--no-sandbox", "--ask", "--on-denial", "--session", "--inbox", "--audit-dir", "--audit-mode",
    "--otlp", "--no-project", "--gateway",
})  # fmt: skip
_HONOURED = frozenset({"--timeout", "--env", "--inherit-env", "--limit"})
_GRACE_SECONDS = "0.05"  # as `sandbox.config.GRACE_SECONDS`, for timeout(1)
_LEAST_SECONDS = 1e-6  # that is printed; to timeout(1) 0 means no limit

type Execute = Callable[[tuple[str, ...], Mapping[str, str]], object]


def execute(words: tuple[str, ...], environment: Mapping[str, str]) -> None:
    """As the outer run's command was, by its `PATH` and with its scripts without `#!`."""
    # A variable without a name is left out there, too: see `sandbox.launch`.
    variables = {os.fsencode(name): os.fsencode(environment[name]) for name in environment if name}
    monitor.execute([os.fsencode(word) for word in words], variables)


def join(
    options: RunOptions,
    flags: Iterable[str],
    environ: Mapping[str, str],
    execute: Execute = execute,
) -> int:
    """Execute the command as it is. Returns only when it can't be: what to exit with.

    `flags` are the options as they were spelled.
    """
    given = dict.fromkeys(flags)
    if refused := [flag for flag in given if flag not in _OUTER_RUNS | _HONOURED]:
        _say(
            f"this is inside a netproxy run, whose rules hold: {', '.join(refused)} can't be "
            "enforced from here; leave it out, or give it to the outer run"
        )
        return os.EX_USAGE
    try:
        refuse_unenforceable(options.sandbox.limits, is_root=os.getuid() == 0, is_fenced=True)
    except PlanRefused as unenforceable:
        _say(str(unenforceable))
        return os.EX_USAGE
    ignored = [flag for flag in given if flag in _OUTER_RUNS]
    said = f" (not looked at: {', '.join(ignored)})" if ignored else ""
    _say(f"this is inside a netproxy run: the command joins it, under its rules{said}")
    words = _with_time_limit(options)
    try:
        file_size.give_back()
        _limit(options)
        _give_back_signals()
        execute(words, _environment(options, environ))
    except OSError as error:
        ending = NotStarted(errno=error.errno or 0)
        _say(f"{words[0]}: {why_not(ending)}")
        return ending.status
    raise AssertionError("a command that was executed does not return")


def _say(text: str) -> None:
    sys.stderr.write(f"netproxy run: {visible(text)}\n")
    sys.stderr.flush()


def _with_time_limit(options: RunOptions) -> tuple[str, ...]:
    """timeout(1) says 124, too. What has a terminal keeps it: then the command alone is ended."""
    if options.timeout_seconds is None:
        return options.command
    keeps = ("--foreground",) if any(map(os.isatty, (0, 1, 2))) else ()
    limit = ("timeout", *keeps, f"--kill-after={_GRACE_SECONDS}")
    return (*limit, f"{max(options.timeout_seconds, _LEAST_SECONDS):f}", *options.command)


def _limit(options: RunOptions) -> None:
    """Never above what the outer run gave."""
    if not options.sandbox.limits:
        return
    import resource

    for limit in options.sandbox.limits:
        number, soft, hard = limit.for_kernel()
        most = resource.getrlimit(number)[1]
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(number, (soft, hard))


def _give_back_signals() -> None:
    """Python ignores these two at its start, and an ignored signal stays so (execve(2))."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)


def _environment(options: RunOptions, environ: Mapping[str, str]) -> Mapping[str, str]:
    """The outer run chose already; what is said here can only take more away, or set."""
    last = dict(options.sandbox.environment)
    policy = EnvironmentPolicy(
        inherit=options.sandbox.inherit or Inherit.ALL,
        default_excludes=False,
        named=tuple(name for name, value in last.items() if value is None),
        said={name: value for name, value in last.items() if value is not None},
    )
    return joined_environment(environ, policy)
