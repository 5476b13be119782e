"""The command line: one module a verb, imported only when that verb is typed.

Each verb module has `main(arguments) -> int`, given the words after the verb. `run` must start
fast, so nothing heavy is imported here.
"""

from __future__ import annotations

import importlib
import signal
import sys

from netproxy.app.standard_streams import standard_streams
from sandbox import file_size

VERBS = {
    "run": "run a command that reaches the network only where someone said yes",
    "serve": "serve clients outside a sandbox, by the same rules",
    "connect": "open one tunnel through the sandbox's proxy (for ssh's ProxyCommand)",
    "approvals": "see and answer the questions of running gateways",
    "policy": "check, test and explain rules, and read those of other tools",
    "trust": "let a project's own netproxy.toml take part",
    "webhook": "try the endpoints that are told of questions",
    "audit": "read and verify the audit journal",
    "doctor": "say what this host can and can't enforce",
    "demo": "show the main job on local origins",
}

_INTERRUPTED = 130  # 128 + SIGINT, as a shell has it

_HELP = """usage: netproxy VERB [options]

{verbs}

netproxy VERB --help explains a verb."""


def main(arguments: list[str] | None = None) -> int:
    """Run one verb. Returns the exit status (sysexits for our own failures)."""
    # Whoever ignores it (a daemon that reaps nobody) hands that on by execve(2), and then the
    # kernel keeps no child's status: the command's is our own. So does who blocks signals, to wait
    # for them otherwise: what is sent to us would never be heard.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    file_size.lift()
    try:
        with standard_streams():
            return _perform(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:  # also while a verb is imported, and behind its end
        return _INTERRUPTED


def _perform(words: list[str]) -> int:
    if not words or words[0] in {"-h", "--help", "help"}:
        verbs = "\n".join(f"  {name:<9} {summary}" for name, summary in VERBS.items())
        stream = sys.stdout if words else sys.stderr
        stream.write(_HELP.format(verbs=verbs) + "\n")
        return 0 if words else _usage()
    verb, rest = words[0], words[1:]
    if verb == "--version":
        from netproxy import VERSION

        sys.stdout.write(f"netproxy {VERSION}\n")
        return 0
    if verb not in VERBS:
        from netproxy.app.cli.usage import did_you_mean

        sys.stderr.write(f"netproxy: unknown verb '{verb}'{did_you_mean(verb, VERBS)}\n")
        return _usage()
    module = importlib.import_module(f"netproxy.app.cli.{verb}")
    status: int = module.main(rest)
    return status


def _usage() -> int:
    from netproxy.app.cli.usage import EXIT_USAGE

    return EXIT_USAGE
