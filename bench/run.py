"""`make bench`: where we stand beside the named peers, every peer in turn in one run.

Sections: `table` (CONNECT, SOCKS5, bulk, plain HTTP and idle tunnels, with ratios and bars), `soak`
(200,000 tunnels, and 10,000 idle ones), `kills` (gateways killed while they decide: is what they
dialled on record?), `journal` (durable records beside SQLite's), `start` (netproxy run -- true
beside bare bwrap, with a gateway of its own and handed over), `capture` (connections that know of
no proxy beside CONNECT, and look-ups), `cancel` (from the decision to the last process gone),
`policy` (decisions beside a linear list), `approvals` (from an answer to those who waited for it).
Ratios are what counts: absolute figures move by 30 % between machines. What came out:
`bench/README.md`.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from pathlib import Path

from bench.approvals import approvals
from bench.cancelling import cancel
from bench.capturing import capture
from bench.errors import BenchFailed
from bench.journal import journal
from bench.killing import kills
from bench.peers_table import table
from bench.soak import soak
from bench.starting import start
from netproxy.app.garbage import collect_seldom


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("sections", nargs="*", default=["table"], help="default: table")
    parser.add_argument("--runs", type=int, default=21, help="of each command in `start`")
    parser.add_argument("--at-once", type=int, default=100, help="runs side by side in `start`")
    parser.add_argument("--rounds", type=int, default=7, help="of each load")
    parser.add_argument("--seconds", type=float, default=0.4, help="of one load")
    parser.add_argument("--idle", type=int, help="tunnels held: 1,000 in `table`, 10,000 in `soak`")
    parser.add_argument("--kills", type=int, default=50, help="in each mode, in `kills`")
    parser.add_argument("--tunnels", type=int, default=200_000, help="in `soak`")
    parser.add_argument("--row", action="append", help="of `table`, repeatable; default: all")
    parser.add_argument("--markdown", action="store_true", help="print the table to paste it")
    options = parser.parse_args()
    sections = {
        "table": lambda: table(
            rounds=options.rounds,
            seconds=options.seconds,
            idle=options.idle or 1000,
            only=options.row,
            as_markdown=options.markdown,
        ),
        "soak": lambda: soak(
            tunnels=options.tunnels,
            idle=options.idle or 10_000,
            rounds=options.rounds,
            seconds=options.seconds,
        ),
        "kills": lambda: kills(options.kills),
        "journal": lambda: journal(options.rounds),
        "start": lambda: start(options.runs, options.at_once),
        "capture": lambda: capture(rounds=options.rounds, seconds=options.seconds),
        "cancel": lambda: cancel(rounds=10),
        "policy": policy,
        "approvals": as_in_the_gateway,
    }
    for name in options.sections:
        if name not in sections:
            parser.error(f"no section {name}: {', '.join(sections)}")
    # Whatever ends this ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: terminated"))
    try:
        for name in options.sections:
            print(f"== {name}", flush=True)
            sections[name]()
    except BenchFailed as failed:
        sys.exit(f"bench: {failed}")


def as_in_the_gateway() -> None:
    """The section `approvals`, with garbage collected as seldom as it is there."""
    collect_seldom()
    approvals()


def policy() -> None:
    """In a process of its own, whose memory is that of the rules."""
    script = Path(__file__).with_name("policy.py")
    subprocess.run([sys.executable, str(script)], check=True)


if __name__ == "__main__":
    main()
