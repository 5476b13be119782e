from __future__ import annotations

from otel.formats import FORMATS, line_format


def test_every_form_can_be_used() -> None:
    for name in FORMATS:
        assert callable(line_format(name))
