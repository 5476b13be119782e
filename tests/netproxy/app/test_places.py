from __future__ import annotations

from pathlib import Path

import pytest

from netproxy.app import places

HOME = Path("/home/me")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({}, "/home/me/.local/state/netproxy/audit", id="default"),
        pytest.param({"XDG_STATE_HOME": "/s"}, "/s/netproxy/audit", id="named"),
        pytest.param({"XDG_STATE_HOME": ""}, "/home/me/.local/state/netproxy/audit", id="empty"),
        pytest.param(
            {"XDG_STATE_HOME": "s"}, "/home/me/.local/state/netproxy/audit", id="relative"
        ),
    ],
)
def test_audit_directory(environ: dict[str, str], expected: str) -> None:
    assert places.audit_directory(environ, HOME) == Path(expected)


def test_config_home() -> None:
    assert places.config_home({}, HOME) == Path("/home/me/.config/netproxy")
    assert places.config_home({"XDG_CONFIG_HOME": "/c"}, HOME) == Path("/c/netproxy")


def test_there_is_no_runtime_directory_without_a_login_session() -> None:
    """The specification names no default, and a shared /tmp is none."""
    assert places.runtime_dir({}) is None
    assert places.runtime_dir({"XDG_RUNTIME_DIR": "/run/user/7"}) == Path("/run/user/7/netproxy")
