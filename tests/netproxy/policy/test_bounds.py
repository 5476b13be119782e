"""What goes beyond a bound is told with both places; what stays inside is nobody's business."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netproxy.model import OnDenial, Sni, Verdict
from netproxy.policy.blocks import parse_block
from netproxy.policy.bounds import (
    Bounds,
    ProjectRoom,
    bounded,
    managed_violations,
    project_violations,
    widened,
)
from netproxy.policy.layers import LayerPolicy, Statement
from netproxy.policy.origin import Layer, Origin
from netproxy.policy.spec import Mode
from tests.support.policies import allow, deny


def managed(key: str) -> Origin:
    return Origin(layer=Layer.MANAGED, file="/etc/r.toml", line=1, column=1, key=key)


def at(key: str, layer: Layer = Layer.USER) -> Origin:
    return Origin(layer=layer, file="c.toml", line=2, column=1, key=key)


def said[Value](value: Value, key: str = "here") -> Statement[Value]:
    return Statement(value, at(key))


CEILING = Bounds(allow=Statement((allow("**.example.org"),), managed("network.allow")))


class TestManaged:
    @pytest.mark.parametrize(
        ("layer", "bounds", "problem"),
        [
            pytest.param(
                LayerPolicy(layer=Layer.USER, rules=(allow("a.example.org"), allow("b.test"))),
                CEILING,
                "--allow #1: b.test is outside what /etc/r.toml:1:1 network.allow "
                "lets anybody allow",
                id="above the ceiling",
            ),
            pytest.param(
                LayerPolicy(layer=Layer.USER, default=said(Verdict.ALLOW)),
                CEILING,
                "c.toml:2:1 here: 'allow' is outside what /etc/r.toml:1:1 network.allow "
                "lets anybody allow",
                id="a default of allow is a rule for everything",
            ),
            pytest.param(
                LayerPolicy(layer=Layer.USER, allow_private=(said(parse_block("10.0.0.0/8")),)),
                Bounds(allow_private=Statement((parse_block("10.1.0.0/16"),), managed("private"))),
                "c.toml:2:1 here: 10.0.0.0/8 is outside what /etc/r.toml:1:1 private "
                "lets anybody open",
                id="private blocks",
            ),
            pytest.param(
                LayerPolicy(layer=Layer.USER, mode=said(Mode.FULL)),
                Bounds(mode=Statement(Mode.LIMITED, managed("mode"))),
                "c.toml:2:1 here: 'full', but /etc/r.toml:1:1 mode allows at most 'limited'",
                id="mode",
            ),
            pytest.param(
                LayerPolicy(layer=Layer.USER, on_denial=said(OnDenial.BLOCK)),
                Bounds(on_denial=Statement(OnDenial.CANCEL, managed("on_denial"))),
                "c.toml:2:1 here: 'block', but /etc/r.toml:1:1 on_denial demands cancel",
                id="on_denial",
            ),
            pytest.param(
                LayerPolicy(
                    layer=Layer.USER, rules=(replace(deny("a.test"), on_denial=OnDenial.BLOCK),)
                ),
                Bounds(on_denial=Statement(OnDenial.CANCEL, managed("on_denial"))),
                "--deny #1: a.test has on_denial 'block', but /etc/r.toml:1:1 on_denial "
                "demands cancel",
                id="on_denial of a rule",
            ),
            pytest.param(
                LayerPolicy(layer=Layer.USER, sni=said(Sni.RECORD)),
                Bounds(sni=Statement(Sni.REFUSE, managed("sni"))),
                "c.toml:2:1 here: 'record', but /etc/r.toml:1:1 sni allows at most 'refuse'",
                id="sni",
            ),
            pytest.param(
                LayerPolicy(layer=Layer.USER, default=said(Verdict.ASK)),
                Bounds(may_ask=Statement(False, managed("may_ask"))),
                "c.toml:2:1 here: 'ask', but /etc/r.toml:1:1 may_ask forbids it",
                id="asking",
            ),
        ],
    )
    def test_what_goes_beyond(self, layer: LayerPolicy, bounds: Bounds, problem: str) -> None:
        assert list(managed_violations(layer, bounds)) == [problem]
        assert list(managed_violations(layer, Bounds())) == []

    def test_what_stays_inside(self) -> None:
        layer = LayerPolicy(
            layer=Layer.USER,
            rules=(allow("a.example.org"), deny("*")),
            mode=said(Mode.OFF),
            default=said(Verdict.DENY),
            on_denial=said(OnDenial.CANCEL),
            sni=said(Sni.REFUSE),
            allow_private=(said(parse_block("10.1.2.0/24")),),
        )
        bounds = replace(
            CEILING,
            mode=Statement(Mode.LIMITED, managed("mode")),
            on_denial=Statement(OnDenial.CANCEL, managed("on_denial")),
            sni=Statement(Sni.REFUSE, managed("sni")),
            may_ask=Statement(False, managed("may_ask")),
            allow_private=Statement((parse_block("10.1.0.0/16"),), managed("private")),
        )
        assert list(managed_violations(layer, bounds)) == []

    def test_a_ceiling_of_everything_lets_the_default_allow(self) -> None:
        layer = LayerPolicy(layer=Layer.USER, default=said(Verdict.ALLOW))
        open_wide = Bounds(allow=Statement((allow("*:*"),), managed("network.allow")))
        assert list(managed_violations(layer, open_wide)) == []

    def test_no_wildcard_of_a_ceiling_lets_anybody_name_what_is_local(self) -> None:
        layer = LayerPolicy(layer=Layer.USER, rules=(allow("127.0.0.1:5432"),))
        open_wide = Bounds(allow=Statement((allow("*:*"),), managed("network.allow")))
        assert len(list(managed_violations(layer, open_wide))) == 1

    @pytest.mark.parametrize(
        ("rule", "inside"),
        [
            ("10.1.2.3:5432", True),
            ("10.1.0.0/16:5432", True),
            ("10.0.0.0/8:5432", False),
            ("127.0.0.1:5432", False),
            ("[::1]:80", False),
            ("localhost:3000", False),
            ("192.168.1.1:22", True),  # the ceiling names it
            ("8.8.8.8:443", True),  # public: not what this bound is about
            ("db.internal:443", True),  # what it resolves to is bounded
            ("*:443", True),  # opens nothing of that kind
        ],
    )
    def test_what_is_opened_by_name_is_opened(self, rule: str, inside: bool) -> None:
        named = Statement((allow("192.168.1.1:22"),), managed("network.allow"))
        bounds = Bounds(
            allow=named if rule.startswith("192.") else None,
            allow_private=Statement((parse_block("10.1.0.0/16"),), managed("private")),
        )
        layer = LayerPolicy(layer=Layer.USER, rules=(allow(rule),))
        assert (list(managed_violations(layer, bounds)) == []) is inside

    def test_yes_and_no_in_words(self) -> None:
        assert not Bounds().forbids_asking
        assert not Bounds(may_ask=Statement(True, managed("may_ask"))).forbids_asking
        assert Bounds(may_ask=Statement(False, managed("may_ask"))).forbids_asking
        assert not Bounds().requires_sandbox
        assert Bounds(sandbox_required=Statement(True, managed("required"))).requires_sandbox


class TestWhatNobodySaid:
    """A default is nobody's word, so it is no violation; but it does not hold either."""

    def test_the_mode(self) -> None:
        bounds = Bounds(mode=Statement(Mode.LIMITED, managed("mode")))
        assert bounded([], bounds).mode is Mode.LIMITED
        stricter = LayerPolicy(layer=Layer.USER, mode=said(Mode.OFF))
        assert bounded([stricter], bounds).mode is Mode.OFF

    def test_asking(self) -> None:
        bounds = Bounds(may_ask=Statement(False, managed("may_ask")))
        assert bounded([], bounds).default is Verdict.DENY
        assert bounded([], Bounds()).default is Verdict.ASK

    def test_rules_and_ceiling(self) -> None:
        spec = bounded(
            [LayerPolicy(layer=Layer.USER, rules=(allow("a.example.org"),))],
            replace(CEILING, deny=(deny("b.test"),)),
        )
        assert [str(rule) for rule in spec.rules] == ["b.test", "a.example.org"]
        assert spec.ceiling == (allow("**.example.org"),)


USER = LayerPolicy(layer=Layer.USER, rules=(allow("**.example.org"),))


def project(**said_: object) -> LayerPolicy:
    return LayerPolicy(layer=Layer.PROJECT, **said_)  # type: ignore[arg-type]  # the tests' words


class TestProject:
    @pytest.mark.parametrize(
        "layer",
        [
            pytest.param(project(rules=(deny("*"),)), id="denies"),
            pytest.param(project(rules=(allow("a.example.org"),)), id="what the user allows"),
            pytest.param(project(rules=(allow("pypi.org:443"),)), id="what projects are given"),
            pytest.param(project(mode=said(Mode.OFF)), id="mode"),
            pytest.param(project(default=said(Verdict.DENY)), id="default"),
            pytest.param(project(default=said(Verdict.ASK)), id="the same default"),
            pytest.param(project(on_denial=said(OnDenial.CANCEL)), id="on_denial"),
            pytest.param(project(sni=said(Sni.REFUSE)), id="sni"),
            pytest.param(project(allow_private=(said(parse_block("10.1.0.0/16")),)), id="private"),
        ],
    )
    def test_it_may_narrow(self, layer: LayerPolicy) -> None:
        room = ProjectRoom(
            user=USER,
            allow=(allow("pypi.org:443"),),
            allow_private=(said(parse_block("10.0.0.0/8")),),
        )
        assert list(project_violations(layer, room)) == []

    @pytest.mark.parametrize(
        ("layer", "problem"),
        [
            pytest.param(
                project(rules=(allow("b.test"),)),
                "--allow #1: b.test is more than the user allows by rules or by "
                "c.toml:2:1 projects",
                id="a host",
            ),
            pytest.param(
                project(rules=(allow("a.example.org:22"),)),
                "--allow #1: a.example.org:22 is more than the user allows by rules or by "
                "c.toml:2:1 projects",
                id="a port",
            ),
            pytest.param(
                project(default=said(Verdict.ALLOW)),
                "c.toml:2:1 here: 'allow' is more than the user allows by rules or by "
                "c.toml:2:1 projects",
                id="default",
            ),
            pytest.param(
                project(sni=said(Sni.RECORD)),
                "c.toml:2:1 here: 'record', but a project may only be stricter than 'refuse'",
                id="sni",
            ),
            pytest.param(
                project(on_denial=said(OnDenial.BLOCK)),
                "c.toml:2:1 here: 'block', but a project may only be stricter than 'cancel'",
                id="on_denial",
            ),
            pytest.param(
                project(rules=(replace(deny("*"), on_denial=OnDenial.BLOCK),)),
                "--deny #1: * has on_denial 'block', but a project may only be stricter than "
                "'cancel'",
                id="on_denial of a rule",
            ),
            pytest.param(
                project(allow_private=(said(parse_block("10.0.0.0/8")),)),
                "c.toml:2:1 here: 10.0.0.0/8 is more than the user's allow_private, or that "
                "of c.toml:2:1 projects",
                id="private",
            ),
        ],
    )
    def test_it_may_not_widen(self, layer: LayerPolicy, problem: str) -> None:
        room = ProjectRoom(user=USER, said_at=at("projects"))
        assert problem in list(project_violations(layer, room))

    def test_a_looser_mode_and_default_than_the_users(self) -> None:
        user = replace(USER, mode=said(Mode.LIMITED), default=said(Verdict.DENY))
        layer = project(mode=said(Mode.FULL), default=said(Verdict.ASK))
        assert list(project_violations(layer, ProjectRoom(user=user))) == [
            "c.toml:2:1 here: 'full', but a project may only be stricter than 'limited'",
            "c.toml:2:1 here: 'ask', but a project may only be stricter than 'deny'",
        ]

    def test_a_user_who_allows_everything_leaves_nothing_to_widen(self) -> None:
        user = replace(USER, default=said(Verdict.ALLOW), on_denial=said(OnDenial.BLOCK))
        layer = project(
            rules=(allow("b.test:22"),), default=said(Verdict.ALLOW), on_denial=said(OnDenial.BLOCK)
        )
        assert list(project_violations(layer, ProjectRoom(user=user))) == []

    def test_what_its_user_gives_to_projects_only_is_wider(self) -> None:
        wide, own = allow("b.test"), allow("a.example.org")
        layer = project(
            rules=(wide, own, deny("c.test")), allow_private=(said(parse_block("10.0.0.0/8")),)
        )
        assert list(widened(layer, USER)) == [wide, parse_block("10.0.0.0/8")]
        generous = replace(
            USER, default=said(Verdict.ALLOW), allow_private=(said(parse_block("10.0.0.0/8")),)
        )
        assert list(widened(layer, generous)) == []
