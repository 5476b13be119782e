"""`netproxy approvals revoke GRANT`: take a yes or a no back."""

from __future__ import annotations

from netproxy.app.cli.approvals_command import grants, parser, print_json, select
from netproxy.app.cli.gateways import EXIT_NO_GATEWAY, CliFailed, Gone
from netproxy.app.cli.printing import write

_DESCRIPTION = """\
Take a grant back. The connections that a yes carries are closed; the next request asks again."""


def main(arguments: list[str]) -> int:
    """Revoke it, and say so."""
    made = parser("revoke", _DESCRIPTION)
    made.add_argument("id", metavar="GRANT", help="its beginning or end is enough")
    made.add_argument("--comment", metavar="TEXT", help="for the record")
    options = made.parse_args(arguments)
    one = select(grants(), "grant_id", options.id, "grant")
    grant_id = one.document["grant_id"]
    body = {"comment": options.comment} if options.comment else {}
    try:
        revoked = one.gateway.ask("POST", f"/v1/grants/{grant_id}/revocations", body)
    except Gone:
        what = "the gateway that kept it does not live any more"
        raise CliFailed(what, EXIT_NO_GATEWAY) from None
    if options.json:
        print_json({**revoked, "gateway": one.gateway.name})
    else:
        write(f"revoked: {revoked['verdict']} {revoked['destination']}")
    return 0
