"""The policy that decides now: gate, transport and whoever reloads hold this, and never a snapshot.

A snapshot is immutable, so whoever asked one question of it got one consistent answer; the next
question meets the next snapshot. Not for several threads: everything here runs in the event loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netproxy.model import Destination, Judgement, OnDenial, Sni
    from netproxy.policy.engine import Policy, Vetted
    from netproxy.ports import SessionCache


class PolicyInForce:
    """Fills `netproxy.connection.gate.Judge` and `netproxy.transport.services.Vetter`.

    And `netproxy.connection.name_server.NameJudge`.
    """

    __slots__ = ("current", "on_swap")

    def __init__(self, policy: Policy) -> None:
        self.current = policy
        # Whoever has to look at what the old snapshot let through. Nobody before a gateway is open.
        self.on_swap: Callable[[], None] = lambda: None

    def swap(self, policy: Policy) -> None:
        """From here on `policy` decides. Returns when nothing acts on the old one any more.

        Tunnels that it does not allow are cut a little later (`ProxyServer.judge_again`).
        """
        self.current = policy
        self.on_swap()

    def judge(self, destination: Destination, method: str, cache: SessionCache) -> Judgement:
        """Say allow, deny or ask."""
        return self.current.judge(destination, method, cache)

    def name_refusal(self, host: str) -> Judgement | None:
        """Say why a name is not even worth an address to the command."""
        return self.current.name_refusal(host)

    def vet(self, destination: Destination, addresses: Sequence[str]) -> Vetted:
        """Split resolved addresses into those that may be dialled and those that may not."""
        return self.current.vet(destination, addresses)

    @property
    def on_denial(self) -> OnDenial:
        """What a refusal does to the run where neither rule nor reviewer says."""
        return self.current.on_denial

    @property
    def sni(self) -> Sni:
        """What becomes of a tunnel whose TLS asks for another name."""
        return self.current.sni
