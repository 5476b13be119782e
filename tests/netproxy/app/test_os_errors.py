"""An error of the operating system comes with what to do about it, where that is known."""

from __future__ import annotations

import errno

from netproxy.app.os_errors import in_words


def test_with_advice() -> None:
    assert in_words(OSError(errno.EMFILE, "Too many open files")).endswith("ulimit -n")
    assert "ulimit -u" in in_words(
        BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
    )


def test_without() -> None:
    assert in_words(OSError(errno.EIO, "I/O error")) == "[Errno 5] I/O error"
    assert in_words(OSError("plain")) == "plain"
    assert in_words(ValueError("other")) == "other"
