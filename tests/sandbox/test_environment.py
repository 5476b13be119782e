"""The table gives every tool its variable, and nothing of the caller's survives it."""

from __future__ import annotations

import shlex

import pytest

from sandbox.environment import TABLE, child_environment
from sandbox.model import ProxyAddresses

ADDRESSES = ProxyAddresses(http="127.0.0.1:3128", socks="127.0.0.1:1080")


def environment(parent: dict[str, str] | None = None, **kwargs: bool) -> dict[str, str]:
    return child_environment(
        parent or {},
        addresses=ADDRESSES,
        run_id="r-1",
        connect_command=("/opt/my tools/netproxy", "connect"),
        private_tmp=kwargs.get("private_tmp", True),
    )


@pytest.mark.parametrize("name", ["http_proxy", "https_proxy", "all_proxy", "ftp_proxy"])
def test_both_cases_of_every_proxy_variable(name: str) -> None:
    made = environment()
    assert made[name] == made[name.upper()] == "http://127.0.0.1:3128"


def test_no_exceptions_from_the_proxy_survive() -> None:
    made = environment({"NO_PROXY": "*", "no_proxy": "example.org", "npm_config_noproxy": "*"})
    assert made["NO_PROXY"] == made["no_proxy"] == made["npm_config_noproxy"] == ""


def test_all_proxy_is_an_http_url_because_some_clients_fail_on_socks5h() -> None:
    assert environment()["ALL_PROXY"].startswith("http://")


def test_the_markers() -> None:
    made = environment()
    assert made["NETPROXY"] == "1"
    assert made["NETPROXY_RUN"] == "r-1"
    assert made["NETPROXY_HTTP"] == "127.0.0.1:3128"
    assert made["NETPROXY_SOCKS"] == "127.0.0.1:1080"


def test_the_rest_of_the_callers_environment_is_kept() -> None:
    assert environment({"EDITOR": "vi"})["EDITOR"] == "vi"


def test_nothing_of_the_gateways_own_leaks_in() -> None:
    made = environment(
        {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=secret", "NETPROXY_OTLP_HEADERS": "secret"}
    )
    assert "secret" not in str(made)


def test_tmpdir_moves_to_the_private_tmp_and_only_then() -> None:
    assert environment({"TMPDIR": "/var/tmp"})["TMPDIR"] == "/tmp"
    assert environment({"TMPDIR": "/var/tmp"}, private_tmp=False)["TMPDIR"] == "/var/tmp"
    assert "TMPDIR" not in environment()


def test_git_over_ssh_goes_through_our_connect_without_a_socket_file() -> None:
    words = shlex.split(environment()["GIT_SSH_COMMAND"])
    assert words[0] == "ssh"
    assert "ProxyCommand='/opt/my tools/netproxy' connect %h %p" in words
    assert "ControlPath=none" in words


def test_the_callers_own_ssh_command_is_kept() -> None:
    words = shlex.split(environment({"GIT_SSH_COMMAND": "ssh -i 'my key'"})["GIT_SSH_COMMAND"])
    assert words[:3] == ["ssh", "-i", "my key"]


def test_no_variable_is_in_two_rows() -> None:
    names = [name for row in TABLE for name in row.names]
    assert len(names) == len(set(names))
