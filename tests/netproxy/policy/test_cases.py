"""Expected verdicts are read strictly, and judged without a lookup."""

from __future__ import annotations

import pytest

from netproxy.errors import InvalidSettings
from netproxy.model import Reason, Verdict
from netproxy.policy.cases import Cases, load_cases
from tests.support.policies import allow, deny, policy

NAME = "/work/cases.toml"
CASE = '[[cases]]\ndestination = "https://pypi.org"\nverdict = "allow"\n'


def load(text: str) -> Cases:
    return load_cases(text, NAME)


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidSettings) as caught:
        load(text)
    return [problem.removeprefix(f"{NAME}:") for problem in caught.value.problems]


def fault(text: str) -> str | None:
    """Of one case, under two rules and a default of no."""
    (case,) = load(f"[[cases]]\n{text}").cases
    here = policy(allow("pypi.org:443"), deny("evil.test"), allow("10.0.0.1:22"))
    return case.fault(case.outcome(here))


def test_a_whole_file() -> None:
    found = load(
        'config = "config.toml"\nproject = "netproxy.toml"\nrequirements = "managed.toml"\n'
        'profile = "dev"\n[[cases]]\nname = "the index"\ndestination = "http://pypi.org/simple/"\n'
        'verdict = "deny"\nreason = "not_allowed"\nrule = "x"\nmethod = "POST"\n'
        'addresses = ["10.0.0.1", "::1"]\n'
    )
    assert (found.config, found.project) == ("config.toml", "netproxy.toml")
    assert (found.requirements, found.profile) == ("managed.toml", "dev")
    (case,) = found.cases
    assert isinstance(case.target, tuple)
    destination, method = case.target
    assert (case.text, str(destination), method) == (
        "http://pypi.org/simple/",
        "http://pypi.org:80",
        "POST",
    )
    assert (case.name, case.verdict, case.reason, case.rule, case.addresses) == (
        "the index",
        Verdict.DENY,
        Reason.NOT_ALLOWED,
        "x",
        ("10.0.0.1", "::1"),
    )
    assert str(case.origin) == "cases.toml:5"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", "1:1 cases: is missing", id="nothing to test"),
        pytest.param("cases = []", "1:1 cases: must not be empty", id="an empty list"),
        pytest.param(
            CASE + 'resaon = "approved"', "4:1 cases[0].resaon: unknown key, did you mean reason?"
        ),
        pytest.param(
            CASE + 'reason = "aproved"',
            "4:1 cases[0].reason: 'aproved' is not a reason, did you mean approved?",
        ),
        pytest.param(
            CASE + 'addresses = ["pypi.org"]',
            "4:14 cases[0].addresses[0]: 'pypi.org' is not an IP address",
        ),
        pytest.param(
            CASE + 'method = "get"',
            "4:1 cases[0].method: 'get': methods are in capitals, did you mean GET?",
        ),
        pytest.param(
            CASE + 'name = "\\u001b"',
            "4:1 cases[0].name: must be one line without control characters",
        ),
        pytest.param(
            '[[cases]]\ndestination = "htps://pypi.org"\nverdict = "deny"',
            "2:1 cases[0].destination: 'htps' is not one of http, https, socks5-tcp, socks5-udp, "
            "tcp, did you mean https?",
            id="a slip of the pen is no denial",
        ),
    ],
)
def test_a_problem_has_its_place(text: str, problem: str) -> None:
    assert problems(text) == [problem]


@pytest.mark.parametrize(
    "text",
    [
        'destination = "https://pypi.org"\nverdict = "allow"',
        'destination = "pypi.org:443"\nverdict = "allow"\nrule = "pypi.org:443"',
        'destination = "https://pypi.org"\nverdict = "allow"\nreason = "allowed_by_rule"',
        'destination = "https://evil.test"\nverdict = "deny"\nrule = "evil.test"',
        'destination = "https://example.org"\nverdict = "deny"\nreason = "not_allowed"',
        'destination = "http://127.0.0.1"\nverdict = "deny"\nreason = "not_allowed_local"',
        'destination = "https://127.1"\nverdict = "deny"\nreason = "invalid_destination"',
        'destination = "pypi.org"\nverdict = "allow"\naddresses = "151.101.0.223"',
        'destination = "pypi.org"\nverdict = "allow"\naddresses = ["10.0.0.1", "151.101.0.223"]',
        (
            'destination = "pypi.org"\nverdict = "deny"\naddresses = ["10.0.0.1"]\n'
            'reason = "not_allowed_local"'
        ),
        'destination = "tcp://10.0.0.1:22"\nverdict = "allow"\naddresses = ["10.0.0.1"]',
    ],
)
def test_it_passes(text: str) -> None:
    assert fault(text) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'destination = "https://pypi.org"\nverdict = "deny"',
            "expected deny, got allow (allowed_by_rule: rule pypi.org:443 (--allow #1))",
        ),
        (
            'destination = "https://evil.test"\nverdict = "deny"\nreason = "not_allowed"',
            (
                "expected deny not_allowed, got deny "
                "(denied_by_rule: evil.test:443 is denied by rule evil.test (--deny #1))"
            ),
        ),
        (
            'destination = "https://example.org"\nverdict = "deny"\nrule = "example.org"',
            (
                "expected deny by rule example.org, got deny "
                "(not_allowed: no rule matches example.org:443)"
            ),
        ),
        (
            'destination = "https://pypi.org"\nverdict = "allow"\nrule = "pypi.org"',
            (
                "expected allow by rule pypi.org, got allow "
                "(allowed_by_rule: rule pypi.org:443 (--allow #1))"
            ),
        ),
        (
            'destination = "pypi.org"\nverdict = "allow"\naddresses = ["10.0.0.1"]',
            "expected allow, got deny (not_allowed_local: pypi.org resolves to a private address)",
        ),
        (
            'destination = "127.1"\nverdict = "allow"\nreason = "invalid_destination"',
            (
                "expected allow invalid_destination, got deny "
                "(invalid_destination: '127.1' is a number, not a dotted quad or a name)"
            ),
        ),
    ],
)
def test_it_fails_and_says_why(text: str, said: str) -> None:
    assert fault(text) == said


def test_the_default_that_allows_is_its_own_rule() -> None:
    (case,) = load(CASE + "rule = 'default = \"allow\"'").cases
    outcome = case.outcome(policy(default=Verdict.ALLOW))
    assert case.fault(outcome) is None
    assert outcome.because == 'allowed_by_rule: rule default = "allow"'
