"""The secret in a Proxy-Authorization field: RFC 7617 (Basic) and RFC 6750 (Bearer). Pure.

Whose it is: `credentials`. The name in Basic's user part is not looked at: anybody can write one.
Of Authorization, which is for origins, only what it does to a connection counts.
"""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from netproxy.protocol.fields import Index
    from netproxy.protocol.head import Fields

_NAME = b"proxy-authorization"
# RFC 9110 section 11.4: a scheme without regard to case, spaces, and a token68.
_CREDENTIALS = re.compile(rb"(?i:(basic)|bearer) +([A-Za-z0-9\-._~+/]+=*)")

# They log in a connection, not a request (RFC 4559 section 6): whoever asks next is the same user.
_OF_CONNECTIONS = frozenset({b"ntlm", b"negotiate"})

# RFC 9110 section 11.7.1: a 407 says what would be taken. Basic first: any client knows it.
CHALLENGES: Final = (
    'Proxy-Authenticate: Basic realm="netproxy", charset="UTF-8"',
    'Proxy-Authenticate: Bearer realm="netproxy"',
)


def shown_secret(fields: Fields) -> bytes | None:
    """Return Basic's password, or Bearer's token; None without exactly one that can be read."""
    shown = [value for name, value in fields if name.lower() == _NAME]
    match = _CREDENTIALS.fullmatch(shown[0]) if len(shown) == 1 else None
    if match is None:
        return None
    is_basic, text = match.groups()
    if not is_basic:
        return text
    try:
        user_and_password = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        return None
    _, colon, password = user_and_password.partition(b":")
    return password if colon else None


def logs_in(index: Index) -> bool:
    """Whether the origin may take all that comes on this connection for the same user's."""
    shown = index.get(b"authorization", ())
    return any(not _OF_CONNECTIONS.isdisjoint(value.lower().split()[:1]) for value in shown)
