"""The decision: deny rules, mode, local addresses, the session's memory, allow rules, default.

`Policy` is a compiled, immutable snapshot. It asks nobody, resolves nothing and keeps no state;
asking is `approvals`, and the addresses that a name resolved to come back through `vet`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from netproxy.model import Destination, Judgement, OnDenial, Protocol, Reason, Source, Verdict
from netproxy.policy import explain
from netproxy.policy.addresses import (
    LOOPBACK_BLOCKS,
    AddressClass,
    classify_with_own,
    is_wholly_special,
    vet,
)
from netproxy.policy.blocks import NO_BLOCKS, Blocks, number_of, single
from netproxy.policy.hosts import is_address
from netproxy.policy.index import RuleIndex
from netproxy.policy.patterns import Kind
from netproxy.policy.rules import Effect, Rule
from netproxy.policy.special import is_loopback_name, is_special_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netproxy.ports import SessionCache

# Safe by RFC 9110 section 9.2.1, without TRACE, which echoes request fields.
_LIMITED_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Mode(StrEnum):
    """What the network is for at all, before any rule allows anything."""

    FULL = "full"
    LIMITED = "limited"  # plain GET, HEAD and OPTIONS only
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vetted:
    """What remains of a resolver's answer. Nothing passed: refuse with `explanation`."""

    passed: tuple[str, ...]
    refused: tuple[tuple[str, AddressClass], ...]
    explanation: str  # kinds of addresses only: fit for the client
    hint: str | None  # names an internal address: for whoever started the run, not for the client


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything that decides, frozen. Made by `compile_policy`."""

    rules: tuple[Rule, ...]
    default: Verdict
    mode: Mode
    on_denial: OnDenial
    allow_private: Blocks
    own: Blocks
    _deny: RuleIndex
    _allow: RuleIndex
    _naming: RuleIndex  # the allow rules that open what is not public

    @property
    def rule_count(self) -> int:
        """How many rules are in force."""
        return len(self.rules)

    @property
    def digest(self) -> str:
        """SHA-256 over every rule and setting in canonical spelling, not over `own`."""
        import hashlib

        return hashlib.sha256("\n".join(self._lines()).encode()).hexdigest()

    def judge(  # noqa: PLR0911  # one return a step: the order is what a reader comes for
        self, destination: Destination, method: str, cache: SessionCache
    ) -> Judgement:
        """Say allow, deny or ask. The order is the contract (design section 5)."""
        # Managed rules come first in the deny set when there are any, so they need no step here.
        if (denial := self._deny.match(destination)) is not None:
            return _denied_by_rule(destination, denial)
        if self.mode is not Mode.FULL and (guard := _guard(self.mode, destination, method)):
            return guard
        local = self._is_local(destination.host)
        rule = (self._naming if local else self._allow).match(destination)
        if local and rule is None:
            return self._refused_local(destination)
        if (remembered := cache.denial(destination)) is not None:
            said = explain.denied_by_session(destination, remembered)
            return _refusal(Reason.DENIED_BY_SESSION, said, source=Source.SESSION_CACHE)
        if rule is not None:
            return _allowed_by_rule(rule)
        if cache.grant(destination) is not None:
            return _ALLOWED_BY_GRANT
        return self._unmatched(destination)

    def vet(self, destination: Destination, addresses: Sequence[str]) -> Vetted:
        """Keep the addresses that may be dialled for a destination that was already allowed."""
        passed, refused = vet(addresses, allowed=self._dialable(destination), own=self.own)
        kept, denied = self._without_denied(destination, passed)
        refused += denied
        kinds = [kind for _, kind in refused]
        openable = [text for text, kind in refused if kind not in _NOT_OPENABLE]
        return Vetted(
            passed=kept,
            refused=refused,
            explanation="" if kept else explain.addresses_refused(destination, kinds),
            hint=explain.allow_private_flag(openable[0]) if openable and not kept else None,
        )

    def _is_local(self, host: str) -> bool:
        """Tell whether a host needs a rule that names it: no wildcard and no default opens it."""
        if is_address(host):
            return self._kind(host) is not AddressClass.PUBLIC
        return is_special_name(host)

    def _kind(self, literal: str) -> AddressClass:
        return classify_with_own(number_of(literal), own=self.own)

    def _refused_local(self, destination: Destination) -> Judgement:
        if is_address(destination.host):
            said = explain.local_address(destination, self._kind(destination.host))
        else:
            said = explain.special_name(destination)
        return _refusal(Reason.NOT_ALLOWED_LOCAL, said, hint=explain.allow_flag(destination))

    def _unmatched(self, destination: Destination) -> Judgement:
        if self.default is Verdict.ALLOW:
            return _ALLOWED_BY_DEFAULT
        return Judgement(
            verdict=self.default,
            source=Source.BASELINE_POLICY,
            reason=Reason.NOT_ALLOWED,
            explanation=explain.no_rule(destination, self._allow.match_host(destination.host)),
            rule=None,
            hint=explain.allow_flag(destination),
        )

    def _dialable(self, destination: Destination) -> Blocks:
        """Return the non-public blocks that this destination may be dialled at."""
        if is_address(destination.host):
            # Judged as a literal before: a rule names it, or it is public.
            named = self._naming.match(destination) is not None
            return Blocks((single(number_of(destination.host)),)) if named else self.allow_private
        if is_loopback_name(destination.host):
            return Blocks((*self.allow_private.blocks, *LOOPBACK_BLOCKS.blocks))
        return self.allow_private

    def _without_denied(
        self, destination: Destination, addresses: tuple[str, ...]
    ) -> tuple[tuple[str, ...], tuple[tuple[str, AddressClass], ...]]:
        """Take out what a deny rule names: a name must not be a way round a denied address."""
        denied = [
            address
            for address in addresses
            if self._deny.match(
                Destination(host=address, port=destination.port, protocol=destination.protocol)
            )
        ]
        kept = tuple(address for address in addresses if address not in denied)
        return kept, tuple((address, AddressClass.DENIED) for address in denied)

    def _lines(self) -> list[str]:
        return [
            f"default {self.default.value}",
            f"mode {self.mode}",
            f"on_denial {self.on_denial}",
            *(f"allow_private {block}" for block in self.allow_private.blocks),
            *(f"{rule.effect.value} {rule} {rule.on_denial or ''}".rstrip() for rule in self.rules),
        ]


# No --allow-private opens these: the rule, or the resolver, has to change.
_NOT_OPENABLE = frozenset({AddressClass.DENIED, AddressClass.UNRECOGNISED})


def compile_policy(  # noqa: PLR0913  # one keyword a setting; a bag of them would hide which are left out
    rules: Iterable[Rule],
    *,
    default: Verdict,
    mode: Mode,
    on_denial: OnDenial,
    allow_private: Blocks,
    own: Blocks = NO_BLOCKS,
) -> Policy:
    """Build the snapshot. `own` are this host's addresses, and those of our own listeners."""
    every = tuple(rules)
    allow = [rule for rule in every if rule.effect is Effect.ALLOW]
    return Policy(
        rules=every,
        default=default,
        mode=mode,
        on_denial=on_denial,
        allow_private=allow_private,
        own=own,
        _deny=RuleIndex(rule for rule in every if rule.effect is Effect.DENY),
        _allow=RuleIndex(allow),
        _naming=RuleIndex(rule for rule in allow if _opens_local(rule)),
    )


def _opens_local(rule: Rule) -> bool:
    """Tell whether a rule names something that is not public, rather than a range it falls into."""
    match rule.pattern.kind:
        case Kind.ADDRESS:
            return True
        case Kind.BLOCK:
            return rule.pattern.block is not None and is_wholly_special(rule.pattern.block)
        case Kind.EXACT:
            return is_special_name(rule.pattern.base)
        case _:
            return False


def _guard(mode: Mode, destination: Destination, method: str) -> Judgement | None:
    """Refuse what the mode can't or won't let through, whatever the rules say."""
    if mode is Mode.OFF:
        return _refusal(Reason.PROXY_DISABLED, explain.MODE_OFF, source=Source.MODE_GUARD)
    if destination.protocol is not Protocol.HTTP:
        said = explain.inspection_required(destination)
        return _refusal(Reason.INSPECTION_REQUIRED, said, source=Source.MODE_GUARD)
    if method not in _LIMITED_METHODS:
        said = explain.method_refused(method)
        return _refusal(Reason.METHOD_NOT_ALLOWED, said, source=Source.MODE_GUARD)
    return None


def _denied_by_rule(destination: Destination, rule: Rule) -> Judgement:
    return Judgement(
        verdict=Verdict.DENY,
        source=Source.BASELINE_POLICY,
        reason=Reason.DENIED_BY_RULE,
        explanation=explain.denied_by_rule(destination, rule),
        rule=rule.label,
        on_denial=rule.on_denial,
    )


def _refusal(
    reason: Reason,
    explanation: str,
    *,
    source: Source = Source.BASELINE_POLICY,
    hint: str | None = None,
) -> Judgement:
    return Judgement(
        verdict=Verdict.DENY,
        source=source,
        reason=reason,
        explanation=explanation,
        rule=None,
        hint=hint,
    )


def _allowed_by_rule(rule: Rule) -> Judgement:
    return Judgement(
        verdict=Verdict.ALLOW,
        source=Source.BASELINE_POLICY,
        reason=Reason.ALLOWED_BY_RULE,
        explanation="",
        rule=rule.label,
        on_denial=rule.on_denial,
    )


_ALLOWED_BY_GRANT = Judgement(
    verdict=Verdict.ALLOW,
    source=Source.SESSION_CACHE,
    reason=Reason.ALLOWED_BY_GRANT,
    explanation="",
    rule=None,
)
# The profile's own line is the rule here; the closed set of reasons has no other word for it.
_ALLOWED_BY_DEFAULT = Judgement(
    verdict=Verdict.ALLOW,
    source=Source.BASELINE_POLICY,
    reason=Reason.ALLOWED_BY_RULE,
    explanation="",
    rule='default = "allow"',
)
