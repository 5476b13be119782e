"""Which mode of audit holds: what somebody chose, within what the administrator demands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel import AuditMode

if TYPE_CHECKING:
    from netproxy.app.layer_files import LayerFiles

_STRICTEST_FIRST = (AuditMode.STRICT, AuditMode.WRITTEN, AuditMode.BEST_EFFORT)


def audit_mode(flag: AuditMode | None, files: LayerFiles, problems: list[str]) -> AuditMode:
    """Choose between the command line and the file; else the default, or a stricter one.

    The managed file names the loosest that may be chosen. Naming one that is looser than the
    default loosens nothing.
    """
    document = files.user
    in_file = document.audit_mode if document else None
    bound = files.bounds.audit_mode if files.bounds else None
    loosest = AuditMode.BEST_EFFORT if bound is None else AuditMode(bound.value)
    chosen = flag or (AuditMode(in_file) if in_file else None)
    if chosen is None:
        return min(AuditMode.WRITTEN, loosest, key=_STRICTEST_FIRST.index)
    if bound is not None and _STRICTEST_FIRST.index(chosen) > _STRICTEST_FIRST.index(loosest):
        what = f"{bound.origin.place} demands {loosest}"
        if flag is None and document is not None:
            problems.append(document.problem(("audit", "mode"), f"{chosen}: {what}"))
        else:
            problems.append(f"--audit-mode {chosen}: {what}")
    return chosen
