"""`netproxy policy VERB`: what can be said about rules without running anything.

One module a verb, imported only when that verb is typed. Each has `main(arguments) -> int`.
"""

from __future__ import annotations

from netproxy.app.cli.verbs import run_verb

VERBS = {
    "check": "say what is wrong with settings files, and what they say",
    "explain": "say what happens to a destination, and why",
    "test": "hold the policy against expected verdicts",
    "schema": "print the JSON Schema that editors check files against",
    "replay": "judge the journal's requests again, by today's policy",
    "suggest": "write the narrowest rules that cover what was approved",
    "import": "read the rules of codex, srt or smokescreen",
}


def main(arguments: list[str]) -> int:
    """Run one of them. Returns the exit status."""
    return run_verb("policy", VERBS, arguments)
