"""The `[approvals]` part of a user's file, as pydantic sees it: who is asked, and for how long.

What the values come to is `netproxy.app.approval_settings`: secrets and paths are read there.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from netproxy.errors import InvalidRule
from netproxy.policy.addresses import parse_private_block
from netproxy.policy.fields import (
    BundleEntry,
    BundleName,
    OneLine,
    ScopeField,
    Some,
    Strict,
    reader,
    text,
)
from netproxy.policy.hosts import shown
from netproxy.policy.rules import Effect, parse_rule

# Longer than a working day is a forgotten question.
_HOLD_LIMIT_SECONDS = 12 * 3600
_DAY_SECONDS = 86400
_YEAR_SECONDS = 365 * _DAY_SECONDS
# A page of questions is no longer read, and each keeps connections waiting.
_PENDING_LIMIT = 10_000
_NEW_LIMIT = 100_000
# Nobody waits longer for a machine than for a person.
_TIMEOUT_LIMIT_SECONDS = 300

_HOUR = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_HOURS = re.compile(rf"({_HOUR})-({_HOUR}|24:00)")
_VARIABLE = "[A-Za-z_][A-Za-z0-9_]*"

Hold = Annotated[
    float, Field(gt=0, le=_HOLD_LIMIT_SECONDS, description="how long a connection waits, seconds")
]


def _hours(value: str) -> tuple[int, int]:
    """Minutes after midnight; the second may be smaller: then midnight lies between."""
    found = _HOURS.fullmatch(value)
    if found is None or found[1] == found[2]:
        raise InvalidRule(f'{shown(value)} is not a time such as "08:00-18:00"')
    return _minutes(found[1]), _minutes(found[2])


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


def _rule(value: str) -> str:
    parse_rule(value, Effect.ALLOW)
    return value


def _block(value: str) -> str:
    return str(parse_private_block(value))


class WebhookTable(Strict):
    """An endpoint that is told of questions by signed requests, and may answer them."""

    name: BundleName
    url: Annotated[str, Field(description="https://…; http only to a block of allow_private")]
    secret_file: Annotated[
        str, Field(description="holds whsec_… lines: each signs. Absolute or below ~/")
    ]
    reply_secret_file: (
        Annotated[str, Field(description="holds those of its answers; without: it only listens")]
        | None
    ) = None
    allow_private: list[
        Annotated[
            str,
            BeforeValidator(reader(_block)),
            text(r"[0-9A-Fa-f:.]+(?:/[0-9]{1,3})?", "private addresses that it may be at"),
        ]
    ] = Field(default_factory=list)
    max_scope: Annotated[ScopeField, Field(description="the widest yes that it may give")] = (
        "session"
    )
    may_assert: list[OneLine] = Field(
        default_factory=list, description="the reviewers that it may name as who answered"
    )
    timeout_seconds: Annotated[
        float, Field(gt=0, le=_TIMEOUT_LIMIT_SECONDS, description="for one delivery")
    ] = 15.0


class CommandTable(Strict):
    """A program that is asked: the question as JSON on its stdin, its verdict on its stdout."""

    name: BundleName
    argv: Annotated[
        list[str], Field(min_length=1, description="the program, an absolute path, and arguments")
    ]
    max_scope: Annotated[ScopeField, Field(description="the widest yes that it may give")] = (
        "session"
    )
    environment: list[Annotated[str, Field(pattern=f"^{_VARIABLE}$")]] = Field(
        default_factory=list, description="variables that it gets, beside PATH, HOME and LANG"
    )
    timeout_seconds: Annotated[
        float, Field(gt=0, le=_TIMEOUT_LIMIT_SECONDS, description="it is ended after that")
    ] = 30.0


class AutoTable(Strict):
    """An answer that nobody has to give: where all of it fits, and no other of them denies."""

    name: BundleName
    hosts: Some[Annotated[BundleEntry, BeforeValidator(reader(_rule))]]
    verdict: Literal["allow", "deny"]
    scope: Annotated[ScopeField, Field(description="how far it reaches; once if unset")] = "once"
    seconds: (
        Annotated[float, Field(gt=0, le=_YEAR_SECONDS, description='with scope = "time"')] | None
    ) = None
    cancel: (
        Annotated[bool, Field(description="a denial ends the command; as on_denial if unset")]
        | None
    ) = None
    hours: (
        Annotated[
            tuple[int, int],
            BeforeValidator(reader(_hours)),
            text(rf"{_HOUR}-(?:{_HOUR}|24:00)", "08:00-18:00, in local time"),
        ]
        | None
    ) = None
    days: Some[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] | None = None
    limit: (
        Annotated[int, Field(ge=1, le=_NEW_LIMIT, description="answers in one session")] | None
    ) = None
    reason: OneLine | None = None


class Approvals(Strict):
    """How questions are asked, and of whom."""

    hold_seconds: Hold | None = None
    hold_seconds_http: Hold | None = None
    hold_seconds_socks: Hold | None = None
    answerable_seconds: (
        Annotated[float, Field(gt=0, le=7 * _DAY_SECONDS, description="how long a question stands")]
        | None
    ) = None
    lease_seconds: (
        Annotated[
            float,
            Field(
                gt=0, le=_HOLD_LIMIT_SECONDS, description="how long a late yes waits for a retry"
            ),
        ]
        | None
    ) = None
    max_pending: (
        Annotated[int, Field(ge=1, le=_PENDING_LIMIT, description="open questions of one session")]
        | None
    ) = None
    max_new: (
        Annotated[
            int, Field(ge=1, le=_NEW_LIMIT, description="questions of one session in ten minutes")
        ]
        | None
    ) = None
    store: Annotated[str, Field(description='a file, absolute or below ~/; or "memory"')] | None = (
        None
    )
    inbox: (
        Annotated[
            str, Field(description="loopback address of inbox, HTTP API and webhooks' answers")
        ]
        | None
    ) = None
    public_url: (
        Annotated[str, Field(description="where a reverse proxy offers the inbox")] | None
    ) = None
    webhook: list[WebhookTable] = Field(default_factory=list)
    command: list[CommandTable] = Field(default_factory=list)
    auto: list[AutoTable] = Field(default_factory=list)
