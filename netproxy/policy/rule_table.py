"""A rule as a table of TOML, as an answer for always leaves it in the user's file. Pure.

It names one destination and nothing else: host, port and protocol as they were asked about. Words
of reviewers stay within one line and one string, whatever they hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.policy import toml_text

if TYPE_CHECKING:
    from netproxy.model import Destination, OnDenial, Verdict

# As long as a reason may be (`netproxy.policy.fields`).
_REASON_LENGTH = 200


def rule_table(
    profile: str,
    destination: Destination,
    verdict: Verdict,
    *,
    on_denial: OnDenial | None,
    reason: str,
) -> str:
    """Write the table, which may stand at the end of any file that has no array in its place."""
    lines = [
        f"[[profiles.{toml_text.key(profile)}.network.rules]]",
        f"host = {toml_text.value(destination.host)}",
        f"ports = [{destination.port}]",
        f"protocols = [{toml_text.value(destination.protocol.value)}]",
        f"verdict = {toml_text.value(verdict.value)}",
        f"reason = {toml_text.value(_shortened(reason))}",
    ]
    if on_denial is not None:
        lines.append(f"on_denial = {toml_text.value(on_denial.value)}")
    return "\n".join(lines) + "\n"


def has_rule(text: str, destination: Destination, verdict: Verdict) -> bool:
    """Whether a file holds such a table, in any profile. Raises `ValueError`: it is no TOML."""
    import tomllib  # few sessions have such an answer from before

    wanted = {
        "host": destination.host,
        "ports": [destination.port],
        "protocols": [destination.protocol.value],
        "verdict": verdict.value,
    }
    match tomllib.loads(text):
        case {"profiles": {**profiles}}:
            found = (rule for profile in profiles.values() for rule in _rules(profile))
            return any(wanted.items() <= rule.items() for rule in found)
        case _:
            return False


def _rules(profile: object) -> list[dict[str, object]]:
    match profile:
        case {"network": {"rules": [*rules]}}:
            return [rule for rule in rules if isinstance(rule, dict)]
        case _:
            return []


def _shortened(reason: str) -> str:
    return reason if len(reason) <= _REASON_LENGTH else f"{reason[: _REASON_LENGTH - 1]}…"
