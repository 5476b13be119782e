"""A hostile client, or whoever answers its lookups, leads an allowed request to a local address.

Defence: `netproxy.policy.addresses` has its own table of what is public; literals of any other kind
need a rule that names them; resolved addresses are vetted one by one, and only what passed is
dialled. Where the standard library would have let a case through, the test says so.
"""

from __future__ import annotations

import ipaddress
import itertools

import pytest

from netproxy.errors import InvalidRule
from netproxy.model import Protocol, Reason, Verdict
from netproxy.policy.addresses import AddressClass, classify
from netproxy.policy.blocks import Blocks, parse_block
from netproxy.policy.engine import Host
from netproxy.policy.hosts import destination, parse_authority
from tests.support.policies import Memory, allow, deny, policy, to

# As open as a policy can be written: nothing here may open a local address.
OPEN = policy(allow("*:*"), allow("0.0.0.0/0:*"), allow("[::/0]:*"), default=Verdict.ALLOW)
NAME = "allowed.test:443"

LITERALS = [
    literal
    for row in (
        "127.0.0.1 127.1.2.3 [::1] 10.0.0.1 172.16.0.1 192.168.1.1 [fd12::1] [fe80::1]",
        "0.0.0.0 0.1.2.3 [::]",  # S2: Linux connects these to loopback
        "[::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:a9fe:a9fe]",  # S3: mapped
        "[::127.0.0.1] [::7f00:1] [::ffff:0:7f00:1]",  # S4: compatible and translated
        "[64:ff9b::a9fe:a9fe] [64:ff9b::7f00:1] [64:ff9b:1::] [64:ff9b:1::7f00:1]",  # S5: NAT64
        "[2002:7f00:1::] [2002:a9fe:a9fe::1]",  # S5: 6to4
        "[2001:0:7f00:1::] [2001:0:808:808::80ff:fffe]",  # S5: Teredo, server and client
        "100.64.0.1 100.127.255.254",  # S6: carrier NAT
        "198.18.0.1 240.0.0.1 192.0.2.1 [fec0::1] [3fff::1] [5f00::1]",  # S7
        "224.0.0.1 [ff02::1] 255.255.255.255",  # S8
        "169.254.169.254 169.254.170.2 100.100.100.200 168.63.129.16",  # S9: metadata
        "[fd00:ec2::254] [fd20:ce::254] [fd00:a9fe:a9fe::1]",
        "[2606:4700::5efe:7f00:1] [2606:4700::200:5efe:a9fe:a9fe]",  # ISATAP
    )
    for literal in row.split()
]

# What `ipaddress.is_global` calls global on some Python release that we support.
STANDARD_LIBRARY_LETS_THROUGH = [
    "224.0.0.1",
    "168.63.129.16",
    "192.88.99.1",
    "::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "fec0::1",
    "ff0e::1",
]


@pytest.mark.parametrize("literal", LITERALS)
def test_no_wildcard_default_or_grant_opens_a_local_literal(literal: str) -> None:
    host, port = parse_authority(f"{literal}:80", default_port=None)
    for protocol in Protocol:
        asked = destination(host, port, protocol)
        said = OPEN.judge(asked, "GET", Memory(granted={asked}))
        assert (said.verdict, said.reason) == (Verdict.DENY, Reason.NOT_ALLOWED_LOCAL)


@pytest.mark.parametrize("literal", LITERALS)
def test_no_answer_leads_an_allowed_name_to_a_local_address(literal: str) -> None:
    """Rebinding (S22) and CNAMEs into an internal zone (S24): only the final address counts."""
    vetted = OPEN.vet(to(NAME), [literal.strip("[]")])
    assert vetted.passed == ()
    assert literal.strip("[]") not in vetted.explanation


@pytest.mark.parametrize("literal", STANDARD_LIBRARY_LETS_THROUGH)
def test_what_the_standard_library_calls_global_is_not_public(literal: str) -> None:
    assert ipaddress.ip_address(literal).is_global
    assert classify(literal) is not AddressClass.PUBLIC


@pytest.mark.parametrize(
    "answer",
    list(itertools.permutations(["8.8.8.8", "10.0.0.1", "::1", "2606:4700:4700::1111"])),
    ids=" ".join,
)
def test_a_mixed_answer_never_lets_the_local_part_through(answer: tuple[str, ...]) -> None:
    """S23, in every order: the public addresses stay in theirs, the others are never dialled."""
    passed = OPEN.vet(to(NAME), answer).passed
    assert passed == tuple(one for one in answer if one in {"8.8.8.8", "2606:4700:4700::1111"})


@pytest.mark.parametrize(
    "name",
    [
        "localhost",
        "LOCALHOST.",
        "foo.localhost",
        "metadata.google.internal",
        "ip6-localhost",
        "metadata.goog",
        "api.metadata.cloud.ibm.com",
        "printer.local",
        "1.0.0.127.in-addr.arpa",
        "gateway",
    ],
)
def test_a_local_name_is_refused_before_anything_is_looked_up(name: str) -> None:
    """Sandbox case 20."""
    said = OPEN.judge(destination(name, 80, Protocol.HTTP), "GET", Memory())
    assert (said.verdict, said.reason) == (Verdict.DENY, Reason.NOT_ALLOWED_LOCAL)


def test_one_port_of_loopback_opens_no_other_and_no_other_form() -> None:
    opened = policy(allow("127.0.0.1:5432"))
    assert opened.judge(to("127.0.0.1:5432"), "", Memory()).verdict is Verdict.ALLOW
    for other in (
        "127.0.0.1:22",
        "127.0.0.2:5432",
        "[::1]:5432",
        "[::7f00:1]:5432",
        "[64:ff9b::7f00:1]:5432",
        "0.0.0.0:5432",
        "[2002:7f00:1::]:5432",
    ):
        assert opened.judge(to(other), "", Memory()).verdict is Verdict.DENY
    assert opened.vet(to("allowed.test:5432"), ["127.0.0.1"]).passed == ()


def test_our_own_public_address_is_no_way_back_to_us() -> None:
    """Sandbox case 21, S26: this host by its public address, as a literal and through a name."""
    ours = policy(allow("*"), host=Host(addresses=Blocks([parse_block("8.8.4.4")])))
    assert ours.judge(to("8.8.4.4:443"), "", Memory()).reason is Reason.NOT_ALLOWED_LOCAL
    assert ours.vet(to(NAME), ["8.8.4.4"]).passed == ()


def test_a_denied_block_holds_for_names_too() -> None:
    """S20: no allow comes before a deny, not even one of another kind."""
    strict = policy(allow("**.allowed.test"), allow("8.8.8.8"), deny("8.8.0.0/16"))
    assert strict.judge(to("8.8.8.8:443"), "", Memory()).reason is Reason.DENIED_BY_RULE
    assert strict.judge(to("[::ffff:8.8.8.8]:443"), "", Memory()).reason is Reason.DENIED_BY_RULE
    assert strict.vet(to(NAME), ["8.8.8.8", "::ffff:8.8.4.4"]).passed == ()


@pytest.mark.parametrize(
    "form",
    [
        "[64:ff9b::808:808]",
        "[2002:808:808::1]",
        "[2001:0:808:808::f6f6:f6f6]",
        "[2001:0:909:909::f7f7:f7f7]",
        "[2606:4700::5efe:808:808]",
    ],
)
def test_no_form_of_a_denied_address_is_a_way_round_it(form: str) -> None:
    """S5: NAT64, 6to4, Teredo (server and client), ISATAP; as a literal and as an answer."""
    open_but = policy(allow("*:*"), deny("8.8.8.0/24"), default=Verdict.ALLOW)
    asked = to(f"{form}:443")
    assert OPEN.judge(asked, "", Memory()).verdict is Verdict.ALLOW
    assert open_but.judge(asked, "", Memory()).reason is Reason.DENIED_BY_RULE
    assert open_but.vet(to(NAME), [form.strip("[]")]).passed == ()


@pytest.mark.parametrize("block", ["0.0.0.0/0", "::/0", "128.0.0.0/1", "2000::/3"])
def test_allow_private_is_not_allow_all(block: str) -> None:
    """`--allow-private 0.0.0.0/0` would hand out metadata credentials to whoever meant "any"."""
    with pytest.raises(InvalidRule):
        policy(allow("*"), allow_private=[block])
