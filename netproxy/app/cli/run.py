"""`netproxy run [options] -- CMD…`, the main job: options in `run_options`, steps in `app.run`."""

from __future__ import annotations

import gc
import os
import signal
import sys
from dataclasses import replace
from functools import partial

from netproxy.app.cli.run_options import parse_run
from netproxy.app.settings import load_settings
from netproxy.errors import InvalidSettings
from netproxy.policy.origin import Layer


def main(arguments: list[str]) -> int:
    """Return the command's own status, or ours (design section 7)."""
    # Whatever is made from here to the first connection is kept. To look for garbage in it, now and
    # once more at the end of the process, takes 20 ms.
    gc.disable()
    try:
        return _run(arguments)
    finally:
        gc.freeze()


def _run(arguments: list[str]) -> int:
    _open_standard_streams()
    options = parse_run(arguments)
    try:
        settings = load_settings(options, os.environ)
    except InvalidSettings as invalid:
        if os.environ.get("NETPROXY") == "1" and not options.sandbox.no_sandbox:
            # Ours are hidden in there, and what can't be read is not what is wrong.
            from netproxy.app.run import EXIT_OURS, NESTED, say

            say(NESTED)
            return EXIT_OURS
        sys.stderr.writelines(f"netproxy run: {problem}\n" for problem in invalid.problems)
        return os.EX_CONFIG  # 78
    from netproxy.app.run import run

    # A project's file that appears later doesn't count: the command may have made it.
    has_project = any(source.layer is Layer.PROJECT for source in settings.sources)
    later = options if has_project else replace(options, no_project=True)
    try:
        return run(settings, os.environ, partial(load_settings, later, os.environ))
    except KeyboardInterrupt:  # before the command ran, or after it ended
        return 128 + signal.SIGINT


def _open_standard_streams() -> None:
    """Put /dev/null where a caller closed 0, 1 or 2.

    The next descriptor that we open would take the number, and the command would inherit it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
