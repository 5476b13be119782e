"""Where webhooks may go: the gateway's own table of addresses decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from approvals.errors import LookupFailed
from netproxy.app.webhooks import WebhookNetwork
from netproxy.errors import DestinationUnreachable, Failure
from netproxy.policy.blocks import Blocks, parse_block
from tests.support.loops import on_a_loop

if TYPE_CHECKING:
    from collections.abc import Sequence


class Resolver:
    async def resolve(self, host: str) -> Sequence[str]:
        if host == "nowhere.example":
            raise DestinationUnreachable(Failure.DNS_ERROR, "nowhere.example has no address")
        return ["93.184.216.34"]


NETWORK = WebhookNetwork(Resolver(), own=lambda: Blocks([parse_block("93.184.216.99")]))


@on_a_loop
async def test_names_are_looked_up_as_the_gateway_does() -> None:
    assert await NETWORK.resolve("hooks.example") == ["93.184.216.34"]
    with pytest.raises(LookupFailed, match="no address"):
        await NETWORK.resolve("nowhere.example")


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("::ffff:10.0.0.1", "private"),
        ("64:ff9b::7f00:1", "loopback"),
        ("64:ff9b::a9fe:a9fe", "cloud metadata"),
        ("2002:7f00:1::", "loopback"),
        ("169.254.169.254", "cloud metadata"),
        ("fd00:ec2::254", "cloud metadata"),
        ("0.0.0.0", "unspecified"),
        ("fe80::1", "link-local"),
        ("224.0.0.1", "multicast"),
        ("93.184.216.99", "this host's own"),
        ("127.1", "unrecognised"),
    ],
)
def test_only_public_addresses_are_open_to_everybody(address: str, kind: str) -> None:
    vetted = NETWORK.vet(["93.184.216.34", address], allow_private=())
    assert vetted.allowed == ("93.184.216.34",)
    assert [said for _, said in vetted.refused] == [kind]


def test_a_block_opens_what_lies_in_it() -> None:
    vetted = NETWORK.vet(["10.1.2.3", "10.200.0.1", "127.0.0.1"], allow_private=["10.1.0.0/16"])
    assert vetted.allowed == ("10.1.2.3",)
    assert NETWORK.vet(["93.184.216.99"], allow_private=["93.184.216.99"]).allowed


@pytest.mark.parametrize("address", ["169.254.169.254", "100.100.100.200", "224.0.0.1", "0.0.0.0"])
def test_no_block_opens_metadata_or_what_is_no_single_host(address: str) -> None:
    block = f"{address}/32"
    assert NETWORK.vet([address], allow_private=[block]).allowed == ()
