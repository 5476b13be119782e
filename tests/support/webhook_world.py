"""A service with one endpoint, on a real store: questions go out, decisions come back."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from approvals.config import Config, WebhookSettings
from approvals.http.application import make_application
from approvals.model import Outcome, Scope
from approvals.reviewers.webhook import WebhookReviewer
from approvals.service import ApprovalService
from approvals.store.sqlite import SqliteStore
from approvals.store.webhooks import WebhookStore
from approvals.webhook.callback import add_callback
from approvals.webhook.courier import Courier
from approvals.webhook.signing import signed_headers
from approvals.webhook.transport import Transport
from tests.support.approvals import ListSink, asking
from tests.support.http_site import Client, Reply, served, site
from tests.support.receivers import FakeNetwork, Receiver, receiver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

KEY, REPLY_KEY, OTHER_KEY = b"k" * 32, b"r" * 32, b"o" * 32


class SystemClock:
    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time() + self.ahead


def endpoint(url: str, name: str = "ops", **changed: Any) -> WebhookSettings:
    settings = WebhookSettings(
        name=name,
        url=url,
        secrets=(KEY,),
        reply_secrets=(REPLY_KEY,),
        allow_private=("127.0.0.0/8",),
        may_assert=("*@example.org",),
        widest_scope=Scope.RUN,
        timeout_seconds=2.0,
    )
    return replace(settings, **changed)


@dataclass
class World:
    hook: Receiver
    settings: WebhookSettings
    records: SqliteStore
    store: WebhookStore
    courier: Courier
    sink: ListSink
    clock: SystemClock
    service: ApprovalService
    client: Client
    lines: list[str]
    reports: list[str] = field(default_factory=list)

    async def asked(self, number: int = 1) -> dict[str, Any]:
        """What the receiver was told of the question that came as this one."""
        found: dict[str, Any] = (await self.hook.count(number))[number - 1].json
        return found

    def decision(self, told: dict[str, Any], **changed: Any) -> dict[str, Any]:
        data = told["data"]
        return {
            "type": "approval.decision",
            "data": {
                "approval_id": data["approval_id"],
                "version": data["version"],
                "request_digest": data["request_digest"],
                "nonce": data["reply"]["nonce"],
                "verdict": "allow",
            }
            | changed,
        }

    async def send(
        self,
        document: object,
        *,
        webhook_id: str = "reply-0001",
        key: bytes = REPLY_KEY,
        name: str = "ops",
        seconds_ago: float = 0,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        fields = signed_headers(webhook_id, int(self.clock.wall() - seconds_ago), body, [key])
        path = f"/v1/webhooks/{name}/decisions"
        return await self.client.ask("POST", path, body, fields=fields | dict(headers or {}))

    def rejected(self) -> list[str]:
        return [getattr(each, "reason", "") for each in self.sink.events if "rejected" in each.name]


@asynccontextmanager
async def world(
    folder: Path, *answers: bytes, config: Config | None = None, **changed: Any
) -> AsyncIterator[World]:
    clock, sink = SystemClock(), ListSink()
    records = SqliteStore(folder / "state" / "approvals.db", clock=clock)
    reports: list[str] = []
    async with receiver(*answers) as hook:
        settings = endpoint(hook.url(), **changed)
        store = WebhookStore(records.database)
        courier = Courier(
            [settings],
            store=store,
            records=records,
            transport=Transport(FakeNetwork()),
            sink=sink,
            clock=clock,
            report=reports.append,
            chance=lambda: 0.5,
        )
        reviewer = WebhookReviewer(settings, courier, base_url="http://127.0.0.1:8377")
        service = ApprovalService(
            reviewers=(reviewer,),
            sink=sink,
            clock=clock,
            store=records,
            config=config or Config(),
        )
        made, lines = site()
        app = make_application(replace(made, inbox=service, sink=sink, clock=clock))
        other = endpoint(hook.url(), name="other", reply_secrets=(OTHER_KEY,))
        mute = endpoint(hook.url(), name="mute", reply_secrets=())
        add_callback(app, [settings, other, mute], store)
        async with courier, service, courier.following(service), served(app) as client:
            yield World(
                hook=hook,
                settings=settings,
                records=records,
                store=store,
                courier=courier,
                sink=sink,
                clock=clock,
                service=service,
                client=client,
                lines=lines,
                reports=reports,
            )
    await records.close()


@asynccontextmanager
async def asked(
    folder: Path, **changed: Any
) -> AsyncIterator[tuple[World, dict[str, Any], asyncio.Task[Outcome]]]:
    """A question that stands, as the endpoint was told of it, and who waits."""
    async with world(folder, **changed) as here, asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(here.service.ask(asking()))
        yield here, await here.asked(), waiting
        waiting.cancel()
