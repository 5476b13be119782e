"""`python -m netproxy`: the same as the `netproxy` command."""

import sys

from netproxy.app.cli import main

if __name__ == "__main__":
    sys.exit(main())
