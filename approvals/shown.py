"""What a reviewer is shown of a question, as plain data: one form for API, webhook and pages.

The digest is taken from it, so an answer that names the digest means exactly this. Text that came
from the command is made visible here. Pure.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from approvals.times import rfc3339
from otel import visible

if TYPE_CHECKING:
    from approvals.model import Question

    type Plain = str | int | bool | list[str] | None

# Longer than any command line that a person reads; the kernel allows 128 KiB for one argument.
_TEXT_LIMIT = 4096
# What a host can become when each of its 253 characters is escaped.
_HOST_LIMIT = 2560


def shown(question: Question) -> dict[str, Plain]:
    """The question as JSON's types. Nothing that changes while it stands, and no secret."""
    asking, key = question.asking, question.key
    return {
        "approval_id": question.approval_id,
        "session": key.session,
        "session_name": _text(asking.session_name),
        "run": asking.run,
        "host": visible(key.host, limit=_HOST_LIMIT),
        "host_unicode": _text(asking.unicode_host),
        "group": visible(asking.group, limit=_HOST_LIMIT),
        "protocol": visible(key.protocol),
        "port": key.port,
        "destination": visible(key.destination, limit=_HOST_LIMIT),
        "command": visible(asking.command, limit=_TEXT_LIMIT),
        "directory": visible(asking.directory, limit=_TEXT_LIMIT),
        "explanation": visible(asking.explanation, limit=_TEXT_LIMIT),
        "hint": _text(asking.hint),
        "stops_on_denial": asking.stops_on_denial,
        "allow_scopes": [scope.value for scope in question.scopes],
        "deny_scopes": [scope.value for scope in question.denial_scopes],
        "longest_seconds": int(question.longest_seconds),
        "created_at": rfc3339(question.created_at),
        "expires_at": rfc3339(question.expires_at),
    }


def digest(question: Question) -> str:
    """SHA-256, hexadecimal, of the canonical JSON of `shown`: sorted, without spaces, UTF-8."""
    text = json.dumps(shown(question), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _text(text: str | None) -> str | None:
    return None if text is None else visible(text, limit=_TEXT_LIMIT)
