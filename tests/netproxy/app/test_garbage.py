from __future__ import annotations

import gc

from netproxy.app.garbage import collect_seldom


def test_what_is_held_is_looked_through_seldom_and_what_is_loaded_never() -> None:
    before, was_on, was_frozen = gc.get_threshold(), gc.isenabled(), gc.get_freeze_count()
    gc.disable()
    gc.unfreeze()
    try:
        collect_seldom()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 1000
        newest, young, everything = gc.get_threshold()
        # What ten thousand tunnels are made of does not bring it about.
        assert newest * young * everything > 10_000 * 1_000
    finally:
        if not was_frozen:
            gc.unfreeze()
        gc.set_threshold(*before)
        if not was_on:
            gc.disable()
