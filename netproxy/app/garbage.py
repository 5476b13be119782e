"""How often a gateway looks for garbage among what it holds: seldom.

Connections that are over are freed by counting references, since they take care to leave no circle
behind. What the collector is for is the rest, which is little; what it costs is a stop of the whole
gateway for as long as it takes to look through every connection, 0.1 s with ten thousand.
"""

from __future__ import annotations

import gc

# Objects made and not freed before the newest are looked through: 1 ms.
_NEWEST = 10_000
# Of those looks, until those that stayed are looked through once more: they are 100,000 at most.
_YOUNG = 10
# Of these again, until everything is.
_ALL = 1_000


def collect_seldom() -> None:
    """From here on. What is loaded by now stays to the end: no look needs to go through it."""
    gc.freeze()
    gc.set_threshold(_NEWEST, _YOUNG, _ALL)
    gc.enable()
