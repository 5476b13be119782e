from __future__ import annotations

from types import ModuleType

import approvals


def test_all_is_exactly_what_is_public() -> None:
    public = {
        name
        for name, value in vars(approvals).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert public == set(approvals.__all__)
    assert approvals.__all__ == sorted(approvals.__all__)
