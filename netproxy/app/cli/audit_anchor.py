"""`netproxy audit anchor`: where every chain has come to, to be kept elsewhere."""

from __future__ import annotations

from netproxy.app.cli.audit_command import Damage, journal, parser
from netproxy.app.cli.printing import write
from otel import anchor_lines

_DESCRIPTION = """\
Print one line for each chain: its newest record's number and hash, and its last
checkpoint with the signature. Keep the lines where whoever can write the journal
can't; `netproxy audit verify --anchor FILE` compares the journal with them later."""


def main(arguments: list[str]) -> int:
    """Print the lines. Status 1 where the end of a chain can't be read."""
    options = parser("anchor", _DESCRIPTION).parse_args(arguments)
    damage = Damage()
    for line in anchor_lines(journal(options), damage.report):
        write(line)
    return damage.status()
