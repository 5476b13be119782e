from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.support.auditing import run
from tests.support.evidence import lines_of, put_lines, signed_journal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.auditing import Capture


def test_one_line_for_each_chain(capsys: Capture, tmp_path: Path) -> None:
    writer = signed_journal(tmp_path, 1)
    status, out, err = run(capsys, "anchor", "--audit-dir", tmp_path)
    assert (status, err) == (0, "")
    assert json.loads(out)["netproxy.audit.chain"] == writer


def test_an_end_that_can_not_be_read(capsys: Capture, tmp_path: Path) -> None:
    writer = signed_journal(tmp_path, 1)
    put_lines(tmp_path, writer, [*lines_of(tmp_path, writer), b"rubbish\n"])
    status, out, err = run(capsys, "anchor", "--audit-dir", tmp_path)
    assert (status, out) == (1, "")
    assert "not a JSON record" in err


def test_without_a_journal(capsys: Capture, tmp_path: Path) -> None:
    assert run(capsys, "anchor", "--audit-dir", tmp_path / "none")[0] == 66
