"""Services across the fence, from the user's file, the command line and the managed file."""

from __future__ import annotations

import pytest

from netproxy.app.cli.sandbox_options import SandboxOptions
from netproxy.app.cli.service_options import ServiceOptions
from netproxy.app.service_settings import (
    Services,
    chosen_services,
    reach_rules,
    service_problems,
    service_violations,
    with_reached,
)
from netproxy.policy.bounds import Bounds
from netproxy.policy.forwards import parse_expose, parse_reach
from netproxy.policy.layers import LayerPolicy, Statement
from netproxy.policy.loader import load
from netproxy.policy.origin import Layer, Origin

FILE = load(
    '[sandbox]\nreach = ["cache=h.test:6379"]\nexpose = ["3000"]\n',
    "/c/config.toml",
    layer=Layer.USER,
)
SILENT = load("", "/c/config.toml", layer=Layer.USER)
REACH, EXPOSE = (parse_reach("postgres=127.0.0.1:5432"),), (parse_expose("8080:18080"),)
GIVEN = SandboxOptions(services=ServiceOptions(reach=REACH, expose=EXPOSE))
NOTHING = SandboxOptions()


def test_the_file_comes_first_and_the_command_line_adds() -> None:
    found = chosen_services(FILE, GIVEN)

    assert [each.name for each in found.reached] == ["cache", "postgres"]
    assert [each.text for each in found.exposed] == ["3000", "8080:18080"]
    assert chosen_services(None, NOTHING) == chosen_services(SILENT, NOTHING) == Services()


def test_each_is_a_rule_of_the_layer_that_named_it() -> None:
    user = LayerPolicy(layer=Layer.USER, rules=reach_rules(GIVEN))

    assert [rule.label for rule in reach_rules(GIVEN)] == ["postgres=127.0.0.1:5432 (--reach #1)"]
    alone = with_reached(None, FILE)
    assert alone is not None
    assert [rule.label for rule in alone.rules] == ["cache=h.test:6379 (config.toml:2)"]
    both = with_reached(user, FILE)
    assert both is not None
    assert both.rules == (*user.rules, *alone.rules)
    assert with_reached(user, SILENT) is with_reached(user, None) is user


@pytest.mark.parametrize(
    "options",
    [SandboxOptions(no_sandbox=True, services=ServiceOptions(reach=REACH)),
     SandboxOptions(no_sandbox=True, services=ServiceOptions(expose=EXPOSE)),
     SandboxOptions(no_sandbox=True, services=ServiceOptions(unix=("/run/x",)))],
    ids=["reach", "expose", "unix"],
)  # fmt: skip
def test_without_a_sandbox_there_is_nothing_to_cross(options: SandboxOptions) -> None:
    (said,) = service_problems(None, options)

    assert said.endswith("without a sandbox the command and this host share their sockets")
    assert chosen_services(FILE, SandboxOptions(no_sandbox=True)) == Services()


def test_what_clashes_is_named_by_its_place() -> None:
    services = ServiceOptions(
        reach=(parse_reach("other=h.test:6379"), parse_reach("names=h.test:53")),
        expose=(parse_expose("1080"), parse_expose("9:3000")),
    )

    options = SandboxOptions(services=services)
    assert list(service_problems(FILE, options)) == [
        "--reach #1: other=h.test:6379: port 6379 inside the sandbox is that of cache=h.test:6379",
        "--reach #2: names=h.test:53: port 53 inside the sandbox is the resolver's",
        "--expose #1: 1080: port 1080 inside the sandbox is the SOCKS proxy's",
        "--expose #2: 9:3000: port 3000 of this host is that of 3000",
    ]
    assert list(service_problems(FILE, GIVEN)) == []
    assert list(service_problems(None, NOTHING)) == []


def test_a_managed_file_forbids_to_expose() -> None:
    place = Origin(layer=Layer.MANAGED, key="sandbox.expose")

    assert list(service_violations(FILE, GIVEN, Bounds())) == []
    allowed = Bounds(sandbox_expose=Statement(True, place))
    assert list(service_violations(FILE, GIVEN, allowed)) == []
    said = list(service_violations(FILE, GIVEN, Bounds(sandbox_expose=Statement(False, place))))
    assert said == [
        f"{FILE.origin(('sandbox', 'expose', 0)).place}: 3000: sandbox.expose forbids to expose",
        "--expose #1: 8080:18080: sandbox.expose forbids to expose",
    ]


def test_sockets_of_both_places_count_once_and_the_managed_file_says_which_at_most() -> None:
    place = Origin(layer=Layer.MANAGED, key="sandbox.unix")
    text = '[sandbox]\nunix = ["/run/a", "/run/b"]\n'
    document = load(text, "/c/config.toml", layer=Layer.USER)
    options = SandboxOptions(services=ServiceOptions(unix=("/run/b", "/run/c")))

    assert chosen_services(document, options).unix == ("/run/a", "/run/b", "/run/c")
    bounds = Bounds(sandbox_unix=Statement(("/run/b", "/run/c"), place))
    assert list(service_violations(document, options, bounds)) == [
        "--unix /run/a: is outside of what sandbox.unix lets anybody give"
    ]
