"""Who speaks, and what they may do. Pure."""

from __future__ import annotations

from enum import StrEnum

from otel.values import dataclass


class Permission(StrEnum):
    """What somebody may do by the API. Each stands alone: `rules` without `decide` is nothing."""

    READ = "read"  # see questions, grants, decisions, the policy
    DECIDE = "decide"  # answer questions
    REVOKE = "revoke"  # take grants back
    RULES = "rules"  # answer "always": that writes a rule


EVERY_PERMISSION = frozenset(Permission)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One caller of one request. Made anew for each: what was taken away is gone at once."""

    name: str  # as the audit trail names the reviewer
    channel: str  # cli | api | web
    permissions: frozenset[Permission]

    def may(self, permission: Permission) -> bool:
        """Whether they have it."""
        return permission in self.permissions
