"""`netproxy approvals grants`: every yes and no that holds now."""

from __future__ import annotations

from netproxy.app.cli.approvals_command import WHERE, grants, local_time, parser, print_found
from netproxy.app.cli.approvals_words import held_until, used

_DESCRIPTION = "List what reviewers allowed and denied, and what still holds of it."


def main(arguments: list[str]) -> int:
    """Print them."""
    options = parser("grants", _DESCRIPTION).parse_args(arguments)
    now = local_time()
    print_found(
        grants(),
        as_json=options.json,
        nothing="nothing is allowed or denied by a reviewer now",
        key="grant_id",
        cells={
            "VERDICT": lambda told: told["verdict"],
            "UNTIL": lambda told: held_until(told, now),
            WHERE: lambda told: told["destination"],
            "BY": lambda told: f"{told['reviewer']} ({told['channel']})",
            "USED": used,
        },
    )
    return 0
