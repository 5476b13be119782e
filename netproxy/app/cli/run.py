"""`netproxy run [options] -- CMD…`, the main job: options in `run_options`, steps in `app.run`.

Where a gateway runs already it has the settings and all that they need: then nothing of that is
imported here (`app.launcher`).
"""

from __future__ import annotations

import gc
import os
import sys

from netproxy.app.called_off import unwinding
from netproxy.app.footing import unfit
from netproxy.app.launcher import handed_over


def main(arguments: list[str]) -> int:
    """Return the command's own status, or ours (design section 7)."""
    # Whatever is made from here to the first connection is kept. To look for garbage in it, now and
    # once more at the end of the process, takes 20 ms.
    gc.disable()
    try:
        with unwinding():
            status = handed_over(arguments, os.environ) if unfit() is None else None
            return _run(arguments) if status is None else status
    finally:
        gc.freeze()


def _run(arguments: list[str]) -> int:
    """Run it with a gateway of its own, or the one that it is inside of."""
    from functools import partial

    from netproxy.app.cli.run_options import given_flags, parse_run
    from netproxy.app.settings import load_settings
    from netproxy.errors import InvalidSettings
    from netproxy.policy.origin import Layer
    from otel.values import replace
    from sandbox.inside import is_inside

    joins = is_inside()
    if not joins and (why := unfit()) is not None:  # first: options may be relative paths
        from netproxy.app.run import EXIT_OURS

        sys.stderr.write(f"netproxy run: {why}\n")
        return EXIT_OURS
    options = parse_run(arguments)
    if joins:
        from netproxy.app.joining import join

        return join(options, given_flags(arguments), os.environ)
    try:
        settings = load_settings(options, os.environ)
    except InvalidSettings as invalid:
        sys.stderr.writelines(f"netproxy run: {problem}\n" for problem in invalid.problems)
        return os.EX_CONFIG  # 78
    from netproxy.app.run import run

    # A project's file that appears later doesn't count: the command may have made it.
    has_project = any(source.layer is Layer.PROJECT for source in settings.sources)
    later = options if has_project else replace(options, no_project=True)
    return run(settings, os.environ, partial(load_settings, later, os.environ))
