"""Names that lead to this host, its network or its cloud, whatever a resolver answers.

They are refused unless a rule names them exactly: no wildcard opens them. Sources: RFC 6761
(localhost, arpa), RFC 6762 (local), ICANN's reservation of internal (2024), the cloud providers'
documentation of their metadata names.
"""

from __future__ import annotations

_TOP_LEVEL = frozenset({"localhost", "local", "internal", "arpa"})

# Names of metadata services that do not end in .internal.
_METADATA = frozenset(
    {
        "api.metadata.cloud.ibm.com",  # IBM
        "metadata.goog",  # Google
        "metadata.packet.net",  # Equinix Metal, its former name
        "metadata.platformequinix.com",  # Equinix Metal
        "metadata.tencentyun.com",  # Tencent
    }
)


def is_special_name(name: str) -> bool:
    """Tell whether a canonical name (not a literal) needs a rule of its own."""
    _, dot, top = name.rpartition(".")
    # A single label is found through the host's search list or its hosts file.
    return not dot or top in _TOP_LEVEL or name in _METADATA


def is_loopback_name(name: str) -> bool:
    """Tell whether a name means loopback by definition (RFC 6761 section 6.3)."""
    return name == "localhost" or name.endswith(".localhost")
