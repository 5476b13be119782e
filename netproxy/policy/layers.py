"""What each layer of settings says about the network, and what the stronger ones bound. Pure.

Layers add up, weakest first (`netproxy.policy.origin.Layer`); a bound that a weaker layer
violates is an error that names both places. What comes out is a `netproxy.policy.spec.PolicySpec`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netproxy.model import OnDenial, Verdict
    from netproxy.policy.blocks import Block
    from netproxy.policy.origin import Layer, Origin
    from netproxy.policy.rules import Rule
    from netproxy.policy.spec import Mode


@dataclass(frozen=True, slots=True)
class Statement[Value]:
    """One value that some layer gave, and where."""

    value: Value
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPolicy:
    """The network part of one layer. None: it leaves that to the weaker ones."""

    layer: Layer
    rules: tuple[Rule, ...] = ()
    allow_private: tuple[Statement[Block], ...] = ()
    mode: Statement[Mode] | None = None
    default: Statement[Verdict] | None = None
    on_denial: Statement[OnDenial] | None = None
