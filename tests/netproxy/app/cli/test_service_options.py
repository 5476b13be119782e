"""`--reach`, `--expose` and `--unix`, as they are typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from netproxy.app.cli.run_options import parse_run


def test_each_may_be_given_several_times() -> None:
    words = [
        "--reach",
        "a=127.0.0.1:1",
        "--expose",
        "8080:18080",
        "--reach",
        "b=h.test:2",
        "--",
        "true",
    ]

    services = parse_run(words).sandbox.services

    assert [reach.text for reach in services.reach] == ["a=127.0.0.1:1", "b=h.test:2"]
    assert [expose.text for expose in services.expose] == ["8080:18080"]


@pytest.mark.parametrize(
    ("flag", "text", "said"),
    [
        ("--unix", f"/{'x' * 107}", "longer than a socket's path"),
        ("--reach", "127.0.0.1:5432", "is not NAME=HOST:PORT"),
        ("--reach", "a=127.0.0.1", "has no port"),
        ("--expose", "0.0.0.0:80:80", "is not PORT or PORT:HOSTPORT"),
    ],
)
def test_what_is_none_is_one_clear_line(
    flag: str, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        parse_run([flag, text, "--", "true"])

    assert left.value.code == 64
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_socket_is_meant_from_here() -> None:
    services = parse_run(["--unix", "/run/../run/x", "--unix", "y", "--", "true"]).sandbox.services

    assert services.unix == ("/run/x", str(Path.cwd() / "y"))


def test_a_socket_beside_a_folder_that_is_gone_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Inside a run this is the first that looks."""
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with pytest.raises(SystemExit) as left:
        parse_run(["--unix", "x", "--", "true"])
    assert left.value.code == 64
    (line,) = capsys.readouterr().err.splitlines()
    assert "--unix: the working directory is gone" in line
    assert parse_run(["--unix", "/run/x", "--", "true"]).sandbox.services.unix == ("/run/x",)
