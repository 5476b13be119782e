"""Any policy at all, for properties of whatever explains one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from netproxy.model import Destination, Verdict
from netproxy.policy.blocks import Blocks, parse_block
from netproxy.policy.conditions import Condition
from netproxy.policy.engine import Host, Policy
from netproxy.policy.origin import Layer, Origin
from netproxy.policy.spec import Mode
from tests.support.policies import Memory, policy
from tests.support.rule_texts import allows, rule_lists

if TYPE_CHECKING:
    from netproxy.policy.rules import Rule

NOW = 1_800_000_000.0
METHODS = st.sampled_from(["GET", "POST", "CONNECT", "none"])
FILE = "/home/me/config.toml"


def at(rule: Rule, layer: Layer, line: int) -> Rule:
    origin = Origin(layer=layer, file=FILE, line=line, column=5, key="k")
    return replace(rule, origin=origin)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Any policy: layers, expiry, conditions, mode, ceiling, this host."""
    rules = []
    for line, rule in enumerate(draw(rule_lists), 1):
        changed = replace(
            at(rule, draw(st.sampled_from(list(Layer))), line),
            expires_at=draw(st.sampled_from([None, None, NOW - 1, NOW + 1])),
            condition=draw(st.sampled_from([None, None, Condition(methods=("GET",))])),
        )
        rules.append(changed)
    return policy(
        *rules,
        default=draw(st.sampled_from(list(Verdict))),
        mode=draw(st.sampled_from([Mode.FULL, Mode.FULL, Mode.LIMITED, Mode.OFF])),
        ceiling=draw(st.none() | st.lists(allows, max_size=3).map(tuple)),
        host=Host(
            addresses=Blocks((parse_block("8.8.4.4"),)),
            listeners=frozenset({("127.0.0.1", 443), ("8.8.4.4", 80)}),
        ),
        now=NOW,
    )


def memories(asked: Destination) -> st.SearchStrategy[Memory]:
    empty = Memory()
    return st.sampled_from([empty, empty, Memory(denied={asked}), Memory(granted={asked})])
