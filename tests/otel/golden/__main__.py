"""Writes the golden file anew, for a change that is meant: read the difference first."""

from __future__ import annotations

from otel.ocsf import line
from tests.otel.test_ocsf import GOLDEN, RECORDS

GOLDEN.write_text("".join(f"{line(record)}\n" for record in RECORDS))
