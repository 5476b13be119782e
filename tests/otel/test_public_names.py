from __future__ import annotations

import subprocess  # a fresh interpreter is what is looked at
import sys

import otel


def test_the_list_of_public_names_is_complete_and_true() -> None:
    assert otel.__all__ == sorted(otel.__all__)
    assert all(hasattr(otel, name) for name in otel.__all__)


def test_nothing_heavy_comes_with_it() -> None:
    """`netproxy run` imports this at every start."""
    heavy = "google.protobuf requests urllib.request asyncio pydantic logging socket ssl"
    script = f"import sys, otel; print([m for m in {heavy.split()!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
