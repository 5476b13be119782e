"""The table gives every tool its variable, and nothing of the caller's survives it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.environment import (
    MARKERS,
    TABLE,
    Environment,
    child_environment,
    joined_environment,
)
from sandbox.inheritance import EnvironmentPolicy, Inherit
from sandbox.model import ProxyAddresses

if TYPE_CHECKING:
    from collections.abc import Mapping

ADDRESSES = ProxyAddresses(http="127.0.0.1:3128", socks="127.0.0.1:1080")


def made(parent: dict[str, str] | None = None, **kwargs: Any) -> Environment:
    return child_environment(
        parent or {},
        addresses=ADDRESSES,
        run_id="r-1",
        connect_command=("/opt/my tools/netproxy", "connect"),
        **{"fenced": True, **kwargs},
    )


def environment(parent: dict[str, str] | None = None, **kwargs: Any) -> Mapping[str, str]:
    return made(parent, **kwargs).variables


@pytest.mark.parametrize("name", ["http_proxy", "https_proxy", "all_proxy", "ftp_proxy"])
def test_both_cases_of_every_proxy_variable(name: str) -> None:
    found = environment()
    assert found[name] == found[name.upper()] == "http://127.0.0.1:3128"


def test_no_exceptions_from_the_proxy_survive() -> None:
    found = environment({"NO_PROXY": "*", "no_proxy": "example.org", "npm_config_noproxy": "*"})
    assert found["NO_PROXY"] == found["no_proxy"] == found["npm_config_noproxy"] == ""


def test_all_proxy_is_an_http_url_because_some_clients_fail_on_socks5h() -> None:
    assert environment()["ALL_PROXY"].startswith("http://")


def test_the_markers() -> None:
    found = environment()
    assert found["NETPROXY"] == "1"
    assert found["NETPROXY_RUN"] == "r-1"
    assert found["NETPROXY_HTTP"] == "127.0.0.1:3128"
    assert found["NETPROXY_SOCKS"] == "127.0.0.1:1080"


def test_the_rest_of_the_callers_environment_is_kept() -> None:
    assert environment({"EDITOR": "vi"})["EDITOR"] == "vi"


def test_nothing_of_the_gateways_own_leaks_in() -> None:
    found = environment(
        {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=secret", "NETPROXY_OTLP_HEADERS": "secret"}
    )
    assert "secret" not in str(found)


@pytest.mark.parametrize("name", ["TMPDIR", "TEMP", "TMP"])
def test_temporary_files_go_to_the_private_tmp_and_only_then(name: str) -> None:
    assert environment({name: "/var/tmp"})[name] == "/tmp"
    assert environment({name: "/var/tmp"}, fenced=False)[name] == "/var/tmp"
    assert name not in environment()
    asked = EnvironmentPolicy(said={name: "/srv/x"})
    assert environment({name: "/var/tmp"}, policy=asked)[name] == "/srv/x"


def test_what_telemetry_has_for_the_command_is_never_filtered() -> None:
    nothing = EnvironmentPolicy(include_only=("NOTHING",))
    assert (
        environment({"A": "b"}, policy=nothing, ours={"TRACEPARENT": "00"})["TRACEPARENT"] == "00"
    )


def test_a_proxy_variable_that_was_asked_for_stays_so() -> None:
    """In both cases: Python and wget take an empty `no_proxy` for the last word.

    A command that starts a server of its own and talks to it needs an exception.
    """
    asked = EnvironmentPolicy(
        values={"NO_PROXY": "127.0.0.1"}, said={"HTTP_PROXY": "http://a.test"}
    )
    found = environment({"no_proxy": "*"}, policy=asked)
    assert (found["NO_PROXY"], found["no_proxy"]) == ("127.0.0.1", "127.0.0.1")
    assert (found["HTTP_PROXY"], found["http_proxy"]) == ("http://a.test", "http://a.test")
    assert found["https_proxy"] == "http://127.0.0.1:3128"
    each = EnvironmentPolicy(said={"NO_PROXY": "a.test", "no_proxy": "b.test"})
    found = environment(policy=each)
    assert (found["NO_PROXY"], found["no_proxy"]) == ("a.test", "b.test")
    alone = environment({"no_proxy": "*"}, policy=asked, proxies=False)
    assert alone["no_proxy"] == "127.0.0.1"


def test_without_proxies_there_is_none_the_callers_neither() -> None:
    callers = {"HTTP_PROXY": "http://me:secret@corp.test", "no_proxy": "*", "GIT_SSH": "ssh -4"}
    found = made(callers, proxies=False)
    names = {name for row in TABLE for name in row.names}
    assert not names & found.variables.keys()
    assert "GIT_SSH_COMMAND" not in found.variables
    assert {name for row in MARKERS for name in row.names} <= found.variables.keys()
    assert found.withheld == ("HTTP_PROXY", "no_proxy")


def test_it_tells_the_names_of_what_it_leaves_out() -> None:
    found = made({"B_TOKEN": "1", "A_TOKEN": "2", "HTTP_PROXY": "x", "EDITOR": "vi"})
    assert found.withheld == ("A_TOKEN", "B_TOKEN")


def test_git_over_ssh_goes_through_our_connect_without_a_socket_file() -> None:
    words = shlex.split(environment()["GIT_SSH_COMMAND"])
    assert words[0] == "ssh"
    assert "ProxyCommand='/opt/my tools/netproxy' connect %h %p" in words
    assert "ControlPath=none" in words


def test_the_callers_own_ssh_command_is_kept() -> None:
    words = shlex.split(environment({"GIT_SSH_COMMAND": "ssh -i 'my key'"})["GIT_SSH_COMMAND"])
    assert words[:3] == ["ssh", "-i", "my key"]


def test_no_variable_is_in_two_rows() -> None:
    names = [name for row in (*TABLE, *MARKERS) for name in row.names]
    assert len(names) == len(set(names))


def test_inside_a_run_its_ways_to_the_gateway_stay() -> None:
    """However little of the rest is wanted; a proxy variable that is said stays as it is said."""
    outer = {
        "http_proxy": "http://127.0.0.1:3128", "NETPROXY_RUN": "r-1", "GIT_SSH_COMMAND": "ssh -o x",
        "EDITOR": "vi", "no_proxy": "",
    }  # fmt: skip
    little = EnvironmentPolicy(inherit=Inherit.NONE, said={"A": "1", "no_proxy": "localhost"})
    found = joined_environment(outer, little)
    assert found == {
        "http_proxy": "http://127.0.0.1:3128", "NETPROXY_RUN": "r-1", "GIT_SSH_COMMAND": "ssh -o x",
        "A": "1", "no_proxy": "localhost", "NO_PROXY": "localhost",
    }  # fmt: skip
