"""`netproxy policy schema [KIND]`: the JSON Schema that editors check files against."""

from __future__ import annotations

import json
import sys

from netproxy.app.cli.usage import UsageParser
from netproxy.policy.schema import MODELS, schema

_DESCRIPTION = """\
Print the JSON Schema (draft 2020-12) of a kind of file. Editors with a TOML language server, such
as Taplo or Even Better TOML, read the file's first line:

    #:schema ./config.schema.json"""


def main(arguments: list[str]) -> int:
    """Print one schema."""
    parser = UsageParser(
        prog="netproxy policy schema",
        usage=f"netproxy policy schema [{'|'.join(MODELS)}]",
        description=_DESCRIPTION,
    )
    parser.add_argument(
        "kind",
        nargs="?",
        default="config",
        choices=list(MODELS),
        metavar="KIND",
        help="which kind of file (default: config)",
    )
    given = parser.parse_args(arguments)
    sys.stdout.write(json.dumps(schema(given.kind), indent=2) + "\n")
    return 0
