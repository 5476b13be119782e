"""Rules of all layers add up, and of single values the stronger layer's holds."""

from __future__ import annotations

from netproxy.model import OnDenial, Sni, Verdict
from netproxy.policy.blocks import parse_block
from netproxy.policy.layers import LayerPolicy, Statement, merged
from netproxy.policy.origin import Layer, Origin
from netproxy.policy.spec import Mode, PolicySpec
from tests.support.policies import allow, deny

HERE = Origin(layer=Layer.USER)


def test_nobody_says_anything() -> None:
    assert merged([]) == PolicySpec(
        rules=(), default=Verdict.ASK, mode=Mode.FULL, on_denial=OnDenial.CANCEL, sni=Sni.REFUSE
    )


def test_rules_add_up_and_managed_ones_come_first() -> None:
    user = LayerPolicy(layer=Layer.USER, rules=(allow("a.test"),))
    project = LayerPolicy(layer=Layer.PROJECT, rules=(deny("b.test"),))
    spec = merged([user, project], first=[deny("c.test")], ceiling=(allow("*"),))
    assert [str(rule) for rule in spec.rules] == ["c.test", "a.test", "b.test"]
    assert spec.ceiling == (allow("*"),)


def test_the_stronger_layer_says_what_there_can_be_but_one_of() -> None:
    user = LayerPolicy(
        layer=Layer.USER,
        mode=Statement(Mode.LIMITED, HERE),
        default=Statement(Verdict.DENY, HERE),
        on_denial=Statement(OnDenial.BLOCK, HERE),
        sni=Statement(Sni.RECORD, HERE),
        allow_private=(Statement(parse_block("10.0.0.0/8"), HERE),),
    )
    flags = LayerPolicy(
        layer=Layer.COMMAND_LINE,
        on_denial=Statement(OnDenial.CANCEL, HERE),
        allow_private=(Statement(parse_block("192.168.0.0/16"), HERE),),
    )
    spec = merged([user, flags])
    assert (spec.mode, spec.default) == (Mode.LIMITED, Verdict.DENY)
    assert spec.on_denial is OnDenial.CANCEL
    assert spec.sni is Sni.RECORD
    assert [str(each) for each in spec.allow_private.blocks] == ["10.0.0.0/8", "192.168.0.0/16"]
