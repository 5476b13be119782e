"""Another tool's file in, ours out; a bad one is one line and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netproxy.app.cli.policy_import import main
from netproxy.policy.loader import load
from netproxy.policy.origin import Layer

FILES = Path(__file__).parents[2] / "policy" / "imports" / "files"
SAMPLES = [
    ("codex", "codex.toml", 1),
    ("codex", "requirements.toml", 0),
    ("srt", "srt.json", 1),
    ("smokescreen", "smokescreen.yaml", 1),
]
samples = pytest.mark.parametrize(("tool", "file", "status"), SAMPLES)


@samples
def test_stdout_is_a_file_of_ours_and_stderr_says_what_differs(
    capsys: pytest.CaptureFixture[str], tool: str, file: str, status: int
) -> None:
    assert main([tool, str(FILES / file)]) == status
    captured = capsys.readouterr()
    assert load(captured.out, "new.toml", layer=Layer.USER).profiles
    first, *differences = captured.err.splitlines()
    assert f"{file}: " in first
    assert first.endswith(" differences in meaning")
    assert all(file in line for line in differences)


@samples
def test_for_programs_all_of_it_is_on_stdout(
    capsys: pytest.CaptureFixture[str], tool: str, file: str, status: int
) -> None:
    assert main([tool, str(FILES / file), "--json"]) == status
    captured = capsys.readouterr()
    records = [json.loads(line) for line in captured.out.splitlines()]
    assert captured.err == ""
    assert load(records[-1]["toml"], "new.toml", layer=Layer.USER).profiles
    assert {record["kind"] for record in records} == {"note", "entry", "summary"}


def test_one_service(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["smokescreen", str(FILES / "smokescreen.yaml"), "--service", "crawler"]) == 0
    assert 'default_profile = "crawler"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("tool", "content", "status", "said"),
    [
        ("srt", b"{}", 65, ":1 has no table network"),
        ("srt", b"{\n\xff}", 65, ":2 is not UTF-8 text"),
        ("codex", b"[", 65, " is not TOML"),
        ("smokescreen", b"a: &x [*x]", 65, ":1 a: anchors and aliases are not read"),
        ("srt", b'{"network": {"\\u001b[2J": 1, "\\u001b[2J": 2}}', 65, "stands here twice"),
        ("srt", b" " * (1024 * 1024 + 1), 65, "is longer than 1048576"),
        ("srt", None, 66, "no such file"),
    ],
)
def test_a_bad_file_is_one_line(  # noqa: PLR0917  # a row has as many columns as it needs
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    tool: str,
    content: bytes | None,
    status: int,
    said: str,
) -> None:
    path = tmp_path / "theirs"
    if content is not None:
        path.write_bytes(content)
    assert main([tool, str(path)]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert "\x1b" not in captured.err


def test_a_byte_order_mark_is_no_content(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "srt.json"
    path.write_bytes(b'\xef\xbb\xbf{"network": {"allowedDomains": ["a.example"]}}')
    assert main(["srt", str(path)]) == 0
    assert "https://a.example" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["smokescren", "x"], "did you mean smokescreen?"),
        (["srt", "x", "--service", "web"], "--service is for smokescreen"),
        (["srt"], "FILE"),
    ],
)
def test_bad_usage(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 64
    assert said in capsys.readouterr().err
