"""The `[resolver]`, `[parents]` and `[[routes]]` parts of a user's file, as pydantic sees them.

What they come to is `netproxy.app.leaving`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, InstanceOf

from netproxy.policy.fields import (
    Literals,
    Name,
    Named,
    OneLine,
    PatternField,
    Some,
    Strict,
    reader,
    text,
)
from netproxy.policy.parent_urls import ParentUrl, parse_parent_url

# Longer than a minute is no resolver.
_RESOLVE_LIMIT_SECONDS = 60


class Resolver(Strict):
    """How names become addresses."""

    hosts: Named[Name, Literals] = Field(default_factory=dict)
    timeout_seconds: (
        Annotated[
            float, Field(gt=0, le=_RESOLVE_LIMIT_SECONDS, description="how long a lookup may take")
        ]
        | None
    ) = None


class ParentTable(Strict):
    """A proxy of the operator's, through which connections leave."""

    url: (
        Annotated[
            InstanceOf[ParentUrl],
            BeforeValidator(reader(parse_parent_url)),
            text(
                r"(?:http|socks5h?|socks4a?)://\S+",
                "http, socks5, socks5h, socks4 or socks4a://host:port",
            ),
        ]
        | None
    ) = None
    from_environment: Annotated[
        bool, Field(description="in place of a url: HTTPS_PROXY, ALL_PROXY or http_proxy, NO_PROXY")
    ] = False
    credentials_file: (
        Annotated[str, Field(description="holds user:password, absolute or below ~/")] | None
    ) = None
    resolve: (
        Annotated[
            Literal["here", "there"],
            Field(description="who looks names up; there: where they lead can't be checked"),
        ]
        | None
    ) = None


class RouteTable(Strict):
    """Hosts, and the way to them."""

    hosts: Some[PatternField]
    to: Annotated[OneLine, Field(description="direct, refuse, or a parent's name")]
