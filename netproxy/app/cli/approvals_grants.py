"""`netproxy approvals grants`: every yes and no that holds now."""

from __future__ import annotations

from netproxy.app.cli.approvals_command import (
    grants,
    local_time,
    parser,
    print_json,
    print_rows,
    short_ids,
)
from netproxy.app.cli.approvals_words import held_until, used
from netproxy.app.cli.printing import write

_DESCRIPTION = "List what reviewers allowed and denied, and what still holds of it."


def main(arguments: list[str]) -> int:
    """Print them."""
    options = parser("grants", _DESCRIPTION).parse_args(arguments)
    found = grants()
    if options.json:
        for one in found:
            print_json({**one.document, "gateway": one.gateway.name})
        return 0
    if not found:
        write("nothing is allowed or denied by a reviewer now")
        return 0
    now = local_time()
    ids = short_ids([one.document["grant_id"] for one in found])
    print_rows(
        ("ID", "VERDICT", "UNTIL", "DESTINATION", "BY", "USED"),
        (
            (
                ids[told["grant_id"]],
                told["verdict"],
                held_until(told, now),
                told["destination"],
                f"{told['reviewer']} ({told['channel']})",
                used(told),
            )
            for _, told in found
        ),
    )
    return 0
