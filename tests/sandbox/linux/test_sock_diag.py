"""One question to the kernel, and only its own answer counts."""

from __future__ import annotations

import os
import socket

from sandbox.linux.sock_diag import Diagnosis

NOBODY = ("0.0.0.0", 0)


def test_a_listener_on_the_port_of_a_client_that_left_is_not_the_client() -> None:
    """The kernel shows it, and it may be the user's own, while the client was a stranger's."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere, Diagnosis() as diagnosis:
        gone = elsewhere.getsockname()
        assert diagnosis.owner(gone, NOBODY) == os.getuid()
        assert diagnosis.owner(gone, ("127.0.0.1", 9)) is None
