"""`netproxy serve --listen ADDRESS [options]`: options in `serve_options`, steps in `app.serve`."""

from __future__ import annotations

import os
import sys

from netproxy.app.cli.serve_options import parse_serve
from netproxy.errors import InvalidSettings


def main(arguments: list[str]) -> int:
    """Serve until told to stop. Returns 0 then."""
    options = parse_serve(arguments)
    from netproxy.app.serve import serve

    try:
        return serve(options, os.environ)
    except InvalidSettings as invalid:
        sys.stderr.writelines(f"netproxy serve: {problem}\n" for problem in invalid.problems)
        return os.EX_CONFIG  # 78
