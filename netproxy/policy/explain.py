"""Why a request was refused or is asked about, and the smallest flag that would change it.

One vocabulary for refusals, questions and events. Every function is called for refusals and
questions only, so none of this costs an allowed request anything. Hosts are canonical here, hence
safe to print.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.policy.addresses import AddressClass
from netproxy.policy.hosts import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netproxy.model import ApprovalId, Destination
    from netproxy.policy.rules import Rule

# The kinds that don't stand before the word "address".
_PHRASES = {
    AddressClass.OWN: "this host's own address",
    AddressClass.DENIED: "an address denied by a rule",
    AddressClass.LISTENER: "this gateway itself",
}

MODE_OFF = "the network is off in this profile"


def denied_by_rule(destination: Destination, rule: Rule) -> str:
    """Name the rule, and give its author's reason where there is one."""
    return _denied(destination.authority, rule)


def name_denied_by_rule(host: str, rule: Rule) -> str:
    """Say the same of a name without a port, which somebody looks up."""
    return _denied(host, rule)


def _denied(what: str, rule: Rule) -> str:
    because = f": {rule.reason}" if rule.reason else ""
    return f"{what} is denied by rule {rule.label}{because}"


def denied_by_session(destination: Destination, approval_id: ApprovalId) -> str:
    """Say that the session remembers a no, and which."""
    return f"{destination.authority} was denied for this session ({approval_id})"


def no_rule(destination: Destination, near: Rule | None) -> str:
    """Say that nothing matches, or what a rule for the same host lacks."""
    if near is None:
        return f"no rule matches {destination.authority}"
    if near.protocol not in {None, destination.protocol}:
        return f"rule {near.label} does not cover protocol {destination.protocol}"
    return f"rule {near.label} does not cover port {destination.port}"


def local_address(destination: Destination, kind: AddressClass) -> str:
    """Say what kind of address a literal is; and whose: a command's own loopback is another."""
    whose = " of the gateway's host" if kind is AddressClass.LOOPBACK else ""
    return f"{destination.host} is {described(kind)}{whose}, and no rule names it with this port"


def special_name(destination: Destination) -> str:
    """Say that a name is local by its spelling."""
    return f"{destination.host} is a local name, and no rule names it exactly with this port"


def special_name_looked_up(host: str) -> str:
    """Say the same where there is no port yet."""
    return f"{host} is a local name, and no rule names it exactly"


def method_refused(method: str) -> str:
    """Say which methods limited mode lets through."""
    return f"limited mode allows GET, HEAD and OPTIONS, not {shown(method)}"


def limited_needs_inspection(destination: Destination) -> str:
    """Say why a tunnel can't be limited."""
    return f"limited mode can't see inside {destination.protocol} to {destination.authority}"


def rule_needs_inspection(destination: Destination, rule: Rule) -> str:
    """Say why a rule with a condition can't be applied."""
    return (
        f"rule {rule.label} holds for {rule.condition} only, "
        f"which takes inspection of {destination.authority}"
    )


def own_listener(destination: Destination) -> str:
    """Say that the gateway does not proxy to itself."""
    return f"{destination.authority} is this gateway itself"


def above_ceiling(destination: Destination) -> str:
    """Say that nobody here may allow it."""
    return f"{destination.authority} is outside what the managed settings let anybody allow"


def addresses_refused(destination: Destination, kinds: Sequence[AddressClass]) -> str:
    """Say what the name resolved to, by kind only: the client must not learn internal addresses."""
    listed = " and ".join(dict.fromkeys(described(kind) for kind in kinds))
    return f"{destination.host} resolves to {listed or 'no address'}"


def described(kind: AddressClass) -> str:
    """`a loopback address`, `this host's own address`."""
    if kind in _PHRASES:
        return _PHRASES[kind]
    article = "an" if kind.value[0] in "aeiou" else "a"
    return f"{article} {kind.value} address"


def allow_flag(destination: Destination) -> str:
    """Return the smallest flag that allows exactly this destination."""
    return f"--allow {_quoted(str(destination))}"


def deny_flag(destination: Destination) -> str:
    """Return the smallest flag that denies exactly this destination."""
    return f"--deny {_quoted(str(destination))}"


def allow_private_flag(address: str) -> str:
    """Return the smallest flag that lets names resolve to this address."""
    return f"--allow-private {address}/{128 if ':' in address else 32}"


def _quoted(text: str) -> str:
    """Quote what a shell would take for a pattern (IPv6 brackets)."""
    return f"'{text}'" if "[" in text else text
