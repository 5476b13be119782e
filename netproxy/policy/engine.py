"""The decision: deny rules, mode, local addresses, the session's memory, allow rules, default.

`Policy` is a compiled, immutable snapshot. It asks nobody, resolves nothing and keeps no state;
asking is `approvals`, and the addresses that a name resolved to come back through `vet`. Time
passes outside, too: a snapshot holds until `next_change`, and then a new one is compiled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.model import Destination, Judgement, Protocol, Reason, Source, Verdict
from netproxy.policy import explain
from netproxy.policy.addresses import (
    LOOPBACK_BLOCKS,
    AddressClass,
    classify_number,
    classify_with_own,
    is_wholly_special,
    stands_for,
    vet,
)
from netproxy.policy.blocks import NO_BLOCKS, Blocks, number_of, single
from netproxy.policy.hosts import is_address
from netproxy.policy.index import RuleIndex
from netproxy.policy.judgements import (
    ALLOWED_BY_DEFAULT,
    ALLOWED_BY_GRANT,
    allowed_by_rule,
    denied_by_rule,
    guard,
    name_denied_by_rule,
    network_off,
    refusal,
)
from netproxy.policy.patterns import Kind
from netproxy.policy.rules import Effect, Rule
from netproxy.policy.spec import Mode, PolicySpec
from netproxy.policy.special import is_loopback_name, is_special_name
from otel.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netproxy.model import OnDenial, Sni
    from netproxy.ports import SessionCache


@dataclass(frozen=True, slots=True, kw_only=True)
class Vetted:
    """What remains of a resolver's answer. Nothing passed: refuse with `explanation`."""

    passed: tuple[str, ...]
    refused: tuple[tuple[str, AddressClass], ...]
    explanation: str  # kinds of addresses only: fit for the client
    hint: str | None  # names an internal address: for whoever started the run, not for the client


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What belongs to this host itself, and is never the internet."""

    addresses: Blocks = NO_BLOCKS  # of its interfaces
    listeners: frozenset[tuple[str, int]] = frozenset()  # (literal, port) where the gateway listens


NO_HOST = Host()


# What the rules say of one destination, whoever asks: the rule that denies it; if none does, the
# judgement that allows it; and whether it is refused for where it leads.
type _Found = tuple[Rule | None, Judgement | None, bool]

# Far more than a run's destinations; a client that asks for more than that empties it.
_MOST_FOUND = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything that decides, frozen. Made by `compile_policy`."""

    spec: PolicySpec
    host: Host
    next_change: float | None  # when a rule expires: seconds since the epoch
    _deny: RuleIndex
    _deny_some: RuleIndex  # deny rules with a condition, which only inspection can see
    _allow: RuleIndex
    _allow_some: RuleIndex
    _naming: RuleIndex  # the allow rules that open what is not public
    _naming_some: RuleIndex
    _ceiling: RuleIndex | None
    _ceiling_naming: RuleIndex
    _found: dict[Destination, _Found] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    @property
    def on_denial(self) -> OnDenial:
        """What a refusal does to the run, unless its rule says otherwise."""
        return self.spec.on_denial

    @property
    def sni(self) -> Sni:
        """What becomes of a tunnel whose TLS asks for another name."""
        return self.spec.sni

    @property
    def rule_count(self) -> int:
        """How many rules are in force."""
        return len(self.spec.rules)

    @property
    def digest(self) -> str:
        """SHA-256 over every rule and setting in canonical spelling, not over this host."""
        import hashlib

        return hashlib.sha256("\n".join(_lines(self.spec)).encode()).hexdigest()

    def judge(  # noqa: PLR0911  # one return a step: the order is what a reader comes for
        self, destination: Destination, method: str, cache: SessionCache
    ) -> Judgement:
        """Say allow, deny or ask. The order is the contract (design section 5)."""
        denial, allowed, is_refused = self._found.get(destination) or self._find(destination)
        # Managed rules come first among the deny rules, so they need no step here.
        if denial is not None:
            return denied_by_rule(destination, denial)
        if self.spec.mode is not Mode.FULL and (
            guarded := guard(self.spec.mode, destination, method)
        ):
            return guarded
        if is_refused:
            return self._refused_local(destination)
        if (remembered := cache.denial(destination)) is not None:
            said = explain.denied_by_session(destination, remembered)
            return refusal(Reason.DENIED_BY_SESSION, said, source=Source.SESSION_CACHE)
        if allowed is not None:
            return allowed
        if not self.is_below_ceiling(destination):
            return refusal(Reason.NOT_ALLOWED, explain.above_ceiling(destination))
        if cache.grant(destination) is not None:
            return ALLOWED_BY_GRANT
        return self._unmatched(destination)

    def name_refusal(self, host: str) -> Judgement | None:
        """Say why no TCP connection to a canonical name is let through; None: on some port one may.

        It is asked for without a port when somebody looks it up, and without a proxy protocol.
        """
        denial = self._deny.match_every_port(host, Protocol.TCP)
        if denial is not None:
            return name_denied_by_rule(host, denial)
        if self.spec.mode is Mode.OFF:
            return network_off()
        if is_special_name(host) and self._naming.match_host(host) is None:
            return refusal(Reason.NOT_ALLOWED_LOCAL, explain.special_name_looked_up(host))
        return None

    def _find(self, destination: Destination) -> _Found:
        """Look for the rules, once for each destination: a snapshot always finds the same."""
        host, denial = destination.host, self.deny_rule(destination)
        rule, is_refused = None, False
        if denial is None:
            local = self.is_local(host)
            rule = self._allow_rule(destination, local=local)
            is_refused = local and (rule is None or self._is_ours(host, destination.port))
        allowed = None if rule is None else allowed_by_rule(destination, rule)
        found = denial, allowed, is_refused
        if len(self._found) >= _MOST_FOUND:
            self._found.clear()
        self._found[destination] = found
        return found

    def deny_rule(self, destination: Destination) -> Rule | None:
        """Return the deny rule that holds; one that needs inspection only where no other does."""
        if ":" in destination.host:
            return self._deny_form(destination)
        return self._deny.match(destination) or self._deny_some.match(destination)

    def allow_rule(self, destination: Destination) -> Rule | None:
        """Return the allow rule that holds; one that needs inspection only where no other does."""
        return self._allow_rule(destination, local=self.is_local(destination.host))

    def near_miss(self, host: str) -> Rule | None:
        """Return an allow rule for the same host, whatever its ports: it explains a refusal."""
        return self._allow.match_host(host) or self._allow_some.match_host(host)

    def is_below_ceiling(self, destination: Destination) -> bool:
        """Tell whether the managed settings let anybody allow this."""
        if self._ceiling is None:
            return True
        bound = self._ceiling_naming if self.is_local(destination.host) else self._ceiling
        return bound.match(destination) is not None

    def vet(self, destination: Destination, addresses: Sequence[str]) -> Vetted:
        """Keep the addresses that may be dialled for a destination that was already allowed."""
        dialable = self._dialable(destination)
        passed, refused = vet(addresses, allowed=dialable, own=self.host.addresses)
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

    def is_local(self, host: str) -> bool:
        """Tell whether a host needs a rule that names it: no wildcard and no default opens it."""
        if is_address(host):
            return self.kind(host) is not AddressClass.PUBLIC
        return is_special_name(host)

    def kind(self, literal: str) -> AddressClass:
        """Say what kind of address a literal is, here on this host."""
        return classify_with_own(number_of(literal), own=self.host.addresses)

    def _allow_rule(self, destination: Destination, *, local: bool) -> Rule | None:
        if local:
            return self._naming.match(destination) or self._naming_some.match(destination)
        return self._allow.match(destination) or self._allow_some.match(destination)

    def _deny_form(self, destination: Destination) -> Rule | None:
        """Return the deny rule for an IPv6 address, or for an IPv4 address that it stands for."""
        asked = [destination._replace(host=host) for host in stands_for(destination.host)]
        found = (index.match(each) for index in (self._deny, self._deny_some) for each in asked)
        return next((rule for rule in found if rule is not None), None)

    def _is_ours(self, literal: str, port: int) -> bool:
        """Tell whether the gateway itself would be dialled: it must not answer its own clients."""
        # Linux connects the unspecified address to loopback.
        aliases = _UNSPECIFIED.get(literal, (literal,))
        return any(
            listening == port
            and (host in aliases or (host in _UNSPECIFIED and self._is_here(literal)))
            for host, listening in self.host.listeners
        )

    def _is_here(self, literal: str) -> bool:
        """Tell whether who listens everywhere is reached at this address."""
        if not is_address(literal):
            return False
        address = number_of(literal)
        kind = classify_number(address)
        return kind in _HERE or self.host.addresses.covers(address)

    def _refused_local(self, destination: Destination) -> Judgement:
        if self._is_ours(destination.host, destination.port):
            return refusal(Reason.NOT_ALLOWED_LOCAL, explain.own_listener(destination))
        if is_address(destination.host):
            said = explain.local_address(destination, self.kind(destination.host))
        else:
            said = explain.special_name(destination)
        return refusal(Reason.NOT_ALLOWED_LOCAL, said, hint=explain.allow_flag(destination))

    def _unmatched(self, destination: Destination) -> Judgement:
        if self.spec.default is Verdict.ALLOW:
            return ALLOWED_BY_DEFAULT
        return Judgement(
            verdict=self.spec.default,
            source=Source.BASELINE_POLICY,
            reason=Reason.NOT_ALLOWED,
            explanation=explain.no_rule(destination, self.near_miss(destination.host)),
            rule=None,
            hint=explain.allow_flag(destination),
        )

    def _dialable(self, destination: Destination) -> Blocks:
        """Return the non-public blocks that this destination may be dialled at."""
        opened = self.spec.allow_private
        if is_address(destination.host):
            # Judged as a literal before: a rule names it, or it is public.
            named = self._naming.match(destination) is not None
            return Blocks((single(number_of(destination.host)),)) if named else opened
        if is_loopback_name(destination.host):
            return Blocks((*opened.blocks, *LOOPBACK_BLOCKS.blocks))
        return opened

    def _without_denied(
        self, destination: Destination, addresses: tuple[str, ...]
    ) -> tuple[tuple[str, ...], tuple[tuple[str, AddressClass], ...]]:
        """Take out what a deny rule names, or we listen on: a name must not be a way round it."""
        refused = []
        for address in addresses:
            there = Destination(host=address, port=destination.port, protocol=destination.protocol)
            if self._is_ours(address, destination.port):
                refused.append((address, AddressClass.LISTENER))
            elif self.deny_rule(there) is not None:
                refused.append((address, AddressClass.DENIED))
        taken = {address for address, _ in refused}
        return tuple(each for each in addresses if each not in taken), tuple(refused)


def _lines(spec: PolicySpec) -> list[str]:
    """Every part of a policy that changes what it decides, one a line."""
    return [
        f"default {spec.default.value}",
        f"mode {spec.mode}",
        f"on_denial {spec.on_denial}",
        f"sni {spec.sni}",
        *(f"allow_private {block}" for block in spec.allow_private.blocks),
        f"ceiling {'none' if spec.ceiling is None else len(spec.ceiling)}",
        *(f"ceiling {rule.canonical}" for rule in spec.ceiling or ()),
        *(f"{rule.effect.value} {rule.canonical}" for rule in spec.rules),
    ]


# No --allow-private opens these: the rule, or the resolver, has to change.
_NOT_OPENABLE = frozenset({AddressClass.DENIED, AddressClass.LISTENER, AddressClass.UNRECOGNISED})
_HERE = frozenset({AddressClass.LOOPBACK, AddressClass.UNSPECIFIED})
_UNSPECIFIED = {"0.0.0.0": ("127.0.0.1",), "::": ("::1", "127.0.0.1")}  # noqa: S104  # no bind


def compile_policy(spec: PolicySpec, *, now: float, host: Host = NO_HOST) -> Policy:
    """Build the snapshot that holds at `now` (seconds since the epoch)."""
    live = [rule for rule in spec.rules if not rule.is_expired(now)]
    allow = [rule for rule in live if rule.effect is Effect.ALLOW]
    deny = [rule for rule in live if rule.effect is Effect.DENY]
    naming = [rule for rule in allow if opens_local(rule)]
    ceiling = spec.ceiling or ()
    return Policy(
        spec=spec,
        host=host,
        next_change=min((r.expires_at for r in live if r.expires_at is not None), default=None),
        _deny=_index(deny, conditional=False),
        _deny_some=_index(deny, conditional=True),
        _allow=_index(allow, conditional=False),
        _allow_some=_index(allow, conditional=True),
        _naming=_index(naming, conditional=False),
        _naming_some=_index(naming, conditional=True),
        _ceiling=None if spec.ceiling is None else RuleIndex(ceiling),
        _ceiling_naming=RuleIndex(rule for rule in ceiling if opens_local(rule)),
    )


def _index(rules: Iterable[Rule], *, conditional: bool) -> RuleIndex:
    return RuleIndex(rule for rule in rules if (rule.condition is not None) is conditional)


def opens_local(rule: Rule) -> bool:
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
