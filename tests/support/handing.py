"""A person with a gateway that runs, and runs of his beside it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.people import beside
from tests.support.runs import Netproxy
from tests.support.services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.support.people import Person


class Office(Netproxy):
    """Sockets of his gateways lie in a folder of the test's."""

    def __init__(self, person: Person, folder: Path) -> None:
        super().__init__(person, folder)
        self.runtime = person.owns(folder / "runtime")
        self.runtime.chmod(0o700)
        self.sockets = self.runtime / "netproxy"

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        return super().environment({"XDG_RUNTIME_DIR": str(self.runtime), **(extra or {})})

    @contextmanager
    def gateway(self, *options: str) -> Iterator[Service]:
        """While it serves, whatever is run sees the host as it does."""
        with Service(self, *options) as service:
            alone, self.person = self.person, beside(self.person, service.pid, self.workspace)
            try:
                yield service
            finally:
                self.person = alone

    def gateways(self) -> int:
        """How many there have been: a run that was handed over had none of its own."""
        return len(self.events("netproxy.gateway.started"))
