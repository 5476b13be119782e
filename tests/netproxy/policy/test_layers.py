"""A layer that says nothing leaves everything to the weaker ones."""

from __future__ import annotations

from netproxy.policy.layers import LayerPolicy
from netproxy.policy.origin import Layer


def test_a_silent_layer() -> None:
    silent = LayerPolicy(layer=Layer.USER)
    assert (silent.rules, silent.mode, silent.default, silent.on_denial) == ((), None, None, None)
