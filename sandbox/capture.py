"""Whether connections of programs that know of no proxy are taken, and what is said of it. Pure."""

from __future__ import annotations

from enum import StrEnum

from sandbox.errors import FenceUnavailable

# What the rules of `sandbox.linux.nftables` are made of, as modules.
_MODULES = "nf_tables nft_chain_nat nft_redir nft_ct nft_log nft_reject_inet nfnetlink_log"


class Capture(StrEnum):
    """What the user wants."""

    AUTO = "auto"  # where this kernel can; `netproxy doctor` and the record say whether
    OFF = "off"
    ONLY = "only"  # nothing but that: no proxy variables are set; where it can't be, no run


def said(*, is_on: bool, why_not: str | None) -> str:
    """Return what is on record of it: on, off, or off and why."""
    if is_on:
        return "on"
    return "off" if why_not is None else f"off: {why_not}"


def loopback_names(hosts: bytes) -> bytes:
    """Return the lines of a hosts file that name the loopback (hosts(5)).

    Whoever found another name in it would connect to an address, and be judged by that.
    """
    kept = [line for line in hosts.splitlines() if _names_loopback(line.split(b"#")[0].split())]
    return b"".join(line + b"\n" for line in kept)


def _names_loopback(words: list[bytes]) -> bool:
    return bool(words) and (words[0] == b"::1" or words[0].startswith(b"127."))


def unavailable(why_not: str | None) -> FenceUnavailable:
    """`--capture only` can't be had."""
    return FenceUnavailable(
        f"connections can't be captured: {why_not}",
        f"type: sudo modprobe -a {_MODULES} (or leave out --capture only)",
    )
