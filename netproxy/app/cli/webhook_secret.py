"""`netproxy webhook secret FILE`: a new secret, in a new file that is yours alone.

It is not printed: what was on a screen is in a log soon. Status 0, or 73 (EX_CANTCREAT).
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from approvals.webhook.signing import secret_text
from netproxy.app.cli.usage import UsageParser

# As long as the hash that it keys: more adds nothing (RFC 2104 section 3).
_KEY_BYTES = 32
_DESCRIPTION = """\
Make a secret for an endpoint: one direction, one endpoint, one file. The receiver gets the line in
it by a safe way. To rotate, put the new line above the old one, and remove that when the receiver
has the new."""


def main(arguments: list[str]) -> int:
    """Make it. Returns the exit status."""
    parser = UsageParser(prog="netproxy webhook secret", description=_DESCRIPTION)
    parser.add_argument("file", type=Path, metavar="FILE", help="which does not exist yet")
    path: Path = parser.parse_args(arguments).file
    line = secret_text(secrets.token_bytes(_KEY_BYTES)) + "\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(line)
    except OSError as error:
        sys.stderr.write(f"netproxy webhook secret: {path}: {(error.strerror or '').lower()}\n")
        return os.EX_CANTCREAT
    sys.stdout.write(f"{path}: one new secret; the receiver needs the same line\n")
    return 0
