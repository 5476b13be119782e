"""How many descriptors this process may have: as many as the administrator allows.

The soft limit (1024 as a rule) is low for programs that use select(2), which we are not; systemd
asks services to raise theirs (systemd.exec(5), LimitNOFILE). Whoever is started later inherits it,
so a command has to be started before.
"""

from __future__ import annotations

import resource


def take_descriptors() -> None:
    """Raise the soft limit to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
