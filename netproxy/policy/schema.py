"""The JSON Schema (draft 2020-12) of each kind of file, for editors that complete and check TOML.

Made from the models that read the files, so it can't say anything else than they do. Where an
editor can't know (a public suffix, a bundle's name), `netproxy policy check` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netproxy.policy.cases import CasesFile
from netproxy.policy.document import File, ProjectFile
from netproxy.policy.requirements import RequirementsFile

if TYPE_CHECKING:
    from pydantic import BaseModel

MODELS: dict[str, type[BaseModel]] = {
    "config": File,
    "project": ProjectFile,
    "requirements": RequirementsFile,
    "cases": CasesFile,
}
# Of pydantic's: a name in title case, and the default of a value that nobody gave.
_NOISE = frozenset({"title", "default"})
_BY_NAME = frozenset({"properties", "patternProperties", "$defs"})
_NULL = {"type": "null"}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(kind: str) -> dict[str, Any]:
    """Return the schema of a kind of file."""
    made: dict[str, Any] = _tidied(MODELS[kind].model_json_schema())
    return {"$schema": _DIALECT, "title": f"netproxy {kind}", **made}


def _tidied(node: Any) -> Any:
    """Take out what says nothing in TOML, which has no null, and what only Python has names for."""
    if isinstance(node, list):
        return [_tidied(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept: dict[str, Any] = {
        key: _named(value) if key in _BY_NAME else _tidied(value)
        for key, value in node.items()
        if key not in _NOISE
    }
    if _NULL in kept.get("anyOf", ()):
        choices = [choice for choice in kept.pop("anyOf") if choice != _NULL]
        kept = {**choices[0], **kept} if len(choices) == 1 else {"anyOf": choices, **kept}
    if "patternProperties" in kept:
        kept["additionalProperties"] = False
    return kept


def _named(nodes: dict[str, Any]) -> dict[str, Any]:
    """Tidy what stands under names of ours: a key may be called `default`."""
    return {name: _tidied(node) for name, node in nodes.items()}
