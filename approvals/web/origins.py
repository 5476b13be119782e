"""From where a request to the inbox comes, by what the browser says of it. Pure.

A page can make a browser post a form to anywhere, and can't make it lie in these headers.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from otel.values import dataclass

# Fetch Metadata, W3C: what a browser says of how a request came about.
_SAME = "same-origin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """The inbox as this request's browser sees it."""

    origin: str  # `http://127.0.0.1:8377`
    cookie: str  # the name of the session's cookie
    secure: bool  # behind TLS, so that cookies may say so


def here(host: str, public_url: str | None) -> Here:
    """Tell by the Host header, which was checked before.

    Loopback without TLS can't have `__Host-` and Secure: not every browser takes them there.
    Cookies are not kept apart by port (RFC 6265 section 8.5), so the port is in the name: two
    gateways of one machine don't sign each other's reviewers out.
    """
    if public_url is not None and urlsplit(public_url).netloc.lower() == host.lower():
        scheme = urlsplit(public_url).scheme
        if scheme == "https":
            return Here(origin=f"https://{host}".lower(), cookie="__Host-netproxy", secure=True)
    port = host.rpartition(":")[2]
    name = f"netproxy-{port}" if port.isdigit() else "netproxy"
    return Here(origin=f"http://{host}".lower(), cookie=name, secure=False)


def is_own_form(origin: str | None, fetch_site: str | None, place: Here) -> bool:
    """Whether a POST comes from one of our own pages.

    With `Referrer-Policy: no-referrer` browsers send `Origin: null` with forms (Fetch, "append a
    request Origin header"), so Sec-Fetch-Site decides. One that sends neither is no browser of
    these years: programs use the API.
    """
    if fetch_site is not None:
        return fetch_site == _SAME and origin in {None, "null", place.origin}
    return origin == place.origin


def is_strangers_link(fetch_site: str | None) -> bool:
    """Whether another site's page led here: SameSite=Strict kept our cookie out."""
    return fetch_site in {"cross-site", "same-site"}
