"""What `approve` and `deny` share: whom it is about, that it may be answered so, and what happened.

An answer repeats what this command was told a moment ago (version, digest, the last request that
waited): what changes in between is refused, not answered blindly.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from netproxy.app.cli.approvals_command import (
    Found,
    local_time,
    over,
    pending,
    print_json,
    select,
)
from netproxy.app.cli.approvals_words import denial, ended, reach
from netproxy.app.cli.gateways import (
    EXIT_NO_GATEWAY,
    EXIT_NOTHING,
    EXIT_RESOLVED,
    CliFailed,
    Gone,
    Refused,
)
from netproxy.app.cli.printing import write
from netproxy.app.cli.usage import EXIT_USAGE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from netproxy.app.cli.gateways import Document
    from netproxy.app.cli.usage import UsageParser

# The answer was taken, and something else came of it: a rule that could not be written.
EXIT_OTHERWISE = 1
_YES = {"y", "yes"}
# What the API takes at once: 64 answers, and 64 KiB with what stands around them.
_MOST_ANSWERS = 64
_PORTION_BYTES = 60_000


def add_common(made: UsageParser) -> None:
    """Offer what both have."""
    made.add_argument("id", metavar="ID", help="its beginning or end is enough")
    made.add_argument(
        "--group",
        action="store_true",
        help="all that wait in its session for the same registered domain",
    )
    made.add_argument("--comment", metavar="TEXT", help="for the record, and for who asked")
    made.add_argument("--yes", action="store_true", help="write a rule without asking back")


def perform(options: argparse.Namespace, answer: Document) -> int:
    """Give the answer to what `options` name. Returns the exit status. Raises `CliFailed`."""
    every = pending()
    one = _standing(every, options.id)
    chosen = _group(every, one) if options.group else [one]
    offered = "allow_scopes" if answer["verdict"] == "allow" else "deny_scopes"
    for each in chosen:
        if answer["scope"] not in each.document["request"][offered]:
            may = ", ".join(each.document["request"][offered])
            where = each.document["request"]["destination"]
            what = f"{where} may be answered for: {may}, not for: {answer['scope']}"
            raise CliFailed(what, EXIT_USAGE)
    if answer["scope"] == "always" and not options.yes:
        _confirm(chosen, answer)
    if options.comment:
        answer["comment"] = options.comment
    return _send_group(options, chosen, answer) if options.group else _send(options, one, answer)


def _standing(every: list[Found], text: str) -> Found:
    """Find the question that is meant. Raises `CliFailed` that says how it ended, if it did."""
    try:
        return select(every, "approval_id", text, "approval")
    except CliFailed as failed:
        if failed.status != EXIT_NOTHING:
            raise
        document = select(over(every), "approval_id", text, "approval").document
        what = f"{document['request']['destination']} {ended(document, local_time())}"
        raise CliFailed(f"too late: {what}", EXIT_RESOLVED) from None


def _group(every: list[Found], one: Found) -> list[Found]:
    request = one.document["request"]
    return [
        each
        for each in every
        if each.gateway == one.gateway
        and each.document["request"]["group"] == request["group"]
        and each.document["request"]["session"] == request["session"]
    ]


def _confirm(chosen: list[Found], answer: Document) -> None:
    """A rule outlives everything: it is asked back where somebody can answer."""
    verb = "allow" if answer["verdict"] == "allow" else "deny"
    where = ", ".join(each.document["request"]["destination"] for each in chosen)
    sys.stderr.write(f"This writes into your policy: {verb} {where}, for good.\n")
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise CliFailed("nobody is there to be asked back: --yes says so beforehand", EXIT_USAGE)
    sys.stderr.write("Write it? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in _YES:
        raise CliFailed("nothing was answered", EXIT_OTHERWISE)


def _send(options: argparse.Namespace, one: Found, answer: Document) -> int:
    approval_id = one.document["approval_id"]
    body = {**answer, "seen": _seen(one.document)}
    resolution = _asked(one, f"/v1/approvals/{approval_id}/answers", body)
    if options.json:
        print_json({**resolution, "gateway": one.gateway.name})
    else:
        write(_happened(one.document, resolution))
    return _status(answer, resolution)


def _send_group(options: argparse.Namespace, chosen: list[Found], answer: Document) -> int:
    answers = [
        {**answer, "approval_id": each.document["approval_id"], "seen": _seen(each.document)}
        for each in chosen
    ]
    told = {each.document["approval_id"]: each.document for each in chosen}
    return max(
        _tell(options, chosen[0].gateway.name, told[result["approval_id"]], answer, result)
        for some in _portions(answers)
        for result in _asked(chosen[0], "/v1/answers", {"answers": some})["results"]
    )


def _portions(answers: list[Document]) -> Iterator[list[Document]]:
    """As many at once as the API takes: a session may have more open questions than that."""
    some: list[Document] = []
    size = 0
    for each in answers:
        length = len(json.dumps(each)) + 2
        if some and (len(some) == _MOST_ANSWERS or size + length > _PORTION_BYTES):
            yield some
            some, size = [], 0
        some.append(each)
        size += length
    yield some


def _tell(
    options: argparse.Namespace, gateway: str, told: Document, answer: Document, result: Document
) -> int:
    """Say what came of the answer to one question of a group; the exit status for it."""
    problem, resolution = result["problem"], result["resolution"]
    if options.json:
        print_json({**result, "gateway": gateway})
    elif problem is not None:
        write(f"not answered: {told['request']['destination']}: {problem['detail']}")
    else:
        write(_happened(told, resolution))
    return Refused(problem).status if problem is not None else _status(answer, resolution)


def _asked(one: Found, path: str, body: Document) -> Document:
    try:
        return one.gateway.ask("POST", path, body)
    except Gone:
        what = "the gateway that asked does not live any more"
        raise CliFailed(what, EXIT_NO_GATEWAY) from None


def _seen(document: Document) -> Document:
    return {name: document[name] for name in ("version", "digest", "join_no")}


def _happened(told: Document, resolution: Document) -> str:
    """One sentence on what came of it."""
    answer, where = resolution["answer"], told["request"]["destination"]
    now = local_time()
    if resolution["status"] == "denied" and answer is not None and answer["verdict"] == "deny":
        return f"denied: {where} {denial(answer, stops=answer['cancel'])}"
    if answer is not None and answer["verdict"] == "allow" and _is_allowed(resolution):
        return f"allowed: {where} {reach(answer, told['waiting'], now)}"
    return f"not allowed: {where}: {resolution['explanation']}"


def _is_allowed(resolution: Document) -> bool:
    return resolution["status"] in {"granted", "used"}


def _status(answer: Document, resolution: Document) -> int:
    came = "allow" if _is_allowed(resolution) else "deny"
    return 0 if came == answer["verdict"] else EXIT_OTHERWISE
