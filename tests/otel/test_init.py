from __future__ import annotations

import subprocess  # a fresh interpreter is what is looked at
import sys

import pytest

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


@pytest.mark.parametrize("order", [("Finding", "verify"), ("verify", "Finding")], ids=repr)
def test_a_name_is_the_same_in_whatever_order_it_is_asked_for(order: tuple[str, str]) -> None:
    program = f"from otel import {order[0]}, {order[1]}; assert callable(verify), verify"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'invented'"):
        _ = otel.invented
