"""What webhooks need of the gateway: its store, its resolver, and its table of addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from approvals.errors import LookupFailed
from approvals.store.sqlite import SqliteStore
from approvals.store.webhooks import WebhookStore
from approvals.webhook.courier import Courier
from approvals.webhook.transport import Transport, Vetted
from netproxy.app.own_addresses import host_addresses
from netproxy.errors import DestinationUnreachable
from netproxy.policy.addresses import AddressClass, vet
from netproxy.policy.blocks import NO_BLOCKS, Blocks, parse_block
from netproxy.transport.resolver import SystemResolver

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netproxy.app.reviewing import Room
    from netproxy.app.settings import Settings
    from netproxy.ports import Resolver

# Where no receiver is, whatever a setting says: it hands out credentials, or is not one host.
_NEVER: Final = frozenset(
    {AddressClass.METADATA, AddressClass.MULTICAST, AddressClass.BROADCAST,
     AddressClass.UNSPECIFIED, AddressClass.UNRECOGNISED}
)  # fmt: skip


def courier_of(room: Room) -> Courier:
    """What delivers to this gateway's endpoints. It opens nothing before it is needed."""
    return Courier(
        room.settings.approvals.webhooks,
        store=webhook_store(room),
        records=room.store,
        transport=Transport(network_of(room.settings)),
        sink=room.trail,
        clock=room.clock,
        report=room.report,
    )


def webhook_store(room: Room) -> WebhookStore:
    """What endpoints were told, and said."""
    assert isinstance(room.store, SqliteStore), "settings refuse endpoints without a file"
    return WebhookStore(room.store.database)


def network_of(settings: Settings) -> WebhookNetwork:
    """The network as a gateway with these settings sees it."""
    resolver = SystemResolver(
        hosts=settings.resolver_hosts, timeout_seconds=settings.resolve_seconds
    )
    return WebhookNetwork(resolver, own=host_addresses)


class WebhookNetwork:
    """Fills `approvals.webhook.transport.Network`."""

    def __init__(
        self, resolver: Resolver, *, own: Callable[[], Blocks] = lambda: NO_BLOCKS
    ) -> None:
        """`own`: this host's addresses now; a public one of them leads past its firewall."""
        self._resolver = resolver
        self._own = own

    async def resolve(self, host: str) -> Sequence[str]:
        """The addresses of a name. Raises `LookupFailed`."""
        try:
            return await self._resolver.resolve(host)
        except DestinationUnreachable as failed:
            raise LookupFailed(str(failed)) from None

    def vet(self, addresses: Sequence[str], *, allow_private: Sequence[str]) -> Vetted:
        """Split them; what an IPv6 address embeds counts as what it stands for."""
        opened = Blocks(map(parse_block, allow_private))
        allowed, refused = vet(addresses, allowed=opened, own=self._own(), never=_NEVER)
        return Vetted(allowed=allowed, refused=refused)
