from __future__ import annotations

import errno
import signal

import pytest

from sandbox.model import Exited, NotStarted, Signalled


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (Exited(code=3), 3),
        (Signalled(signal=signal.SIGTERM), 143),
        (NotStarted(errno=errno.ENOENT), 127),
        (NotStarted(errno=errno.EACCES), 126),
    ],
)
def test_the_status_is_what_a_shell_reports(
    end: Exited | Signalled | NotStarted, status: int
) -> None:
    assert end.status == status
