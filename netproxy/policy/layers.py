"""What each layer of settings says about the network, and all of them laid over each other. Pure.

Rules add up, so that nobody's denial is lost; of single values the stronger layer's holds. What a
layer may say at all: `netproxy.policy.bounds`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.model import OnDenial, Sni, Verdict
from netproxy.policy.blocks import Blocks
from netproxy.policy.spec import Mode, PolicySpec
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netproxy.policy.blocks import Block
    from netproxy.policy.origin import Layer, Origin
    from netproxy.policy.rules import Rule


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
    sni: Statement[Sni] | None = None


def merged(
    layers: Iterable[LayerPolicy],
    *,
    first: Sequence[Rule] = (),
    ceiling: tuple[Rule, ...] | None = None,
) -> PolicySpec:
    """Lay layers over each other, weakest first. `first` are the managed deny rules."""
    given = tuple(layers)
    return PolicySpec(
        rules=(*first, *(rule for layer in given for rule in layer.rules)),
        mode=_last((layer.mode for layer in given), Mode.FULL),
        default=_last((layer.default for layer in given), Verdict.ASK),
        on_denial=_last((layer.on_denial for layer in given), OnDenial.CANCEL),
        sni=_last((layer.sni for layer in given), Sni.REFUSE),
        allow_private=Blocks(said.value for layer in given for said in layer.allow_private),
        ceiling=ceiling,
    )


def _last[Value](said: Iterable[Statement[Value] | None], otherwise: Value) -> Value:
    for statement in said:
        if statement is not None:
            otherwise = statement.value
    return otherwise
