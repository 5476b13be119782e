"""`make fuzz`: each target for its share of the time, bytes led by coverage; a finding ends it.

    python -m tests.fuzz.run --seconds 60            all targets (atheris is needed)
    python -m tests.fuzz.run --target socks FILE     one input again, without atheris

libFuzzer never gives its process back, so each target has one of its own. What it learns stays in
`.fuzz/`, and the next run goes on from there.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".fuzz"
# Heads and handshakes are short; longer inputs only make each try slower.
_INPUT_BYTES = 768
# libFuzzer's own: one input that takes so long is a finding, too.
_TIMEOUT_SECONDS = 5


def main(arguments: list[str]) -> int:
    """Run what is asked for. The status is 1 after a finding."""
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together")
    parser.add_argument("--target", help="this one only")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("file", nargs="?", type=Path, help="an input to try once")
    options = parser.parse_args(arguments)
    if options.file is not None:
        return _once(options.target, options.file)
    if options.here:
        return _fuzz(options.target, options.seconds)
    return _each([options.target] if options.target else _names(), options.seconds)


def _names() -> list[str]:
    from tests.fuzz.targets import TARGETS

    return list(TARGETS)


def _once(name: str, file: Path) -> int:
    from tests.fuzz.targets import TARGETS

    TARGETS[name].check(file.read_bytes())
    print(f"{name}: {file} holds")
    return 0


def _each(names: list[str], seconds: int) -> int:
    share = max(seconds // len(names), 1)
    for name in names:
        command = [sys.executable, "-m", "tests.fuzz.run", "--here", "--target", name]
        done = subprocess.run(
            [*command, "--seconds", str(share)],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            print(done.stdout, done.stderr, sep="\n")
            found = sorted((FOLDER / name).glob("*-found"), key=lambda path: path.stat().st_mtime)
            again = f"python -m tests.fuzz.run --target {name} {found[-1]}" if found else "?"
            print(f"{name}: a finding. Again: .venv/bin/{again}")
            return 1
        last = [line for line in done.stderr.splitlines() if line.startswith("Done ")]
        print(f"{name}: {' '.join(last) or 'done'}", flush=True)
    return 0


def _fuzz(name: str, seconds: int) -> int:
    """Hand this process over to libFuzzer."""
    import atheris

    with atheris.instrument_imports(include=["netproxy", "python_socks"]):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    corpus = FOLDER / name / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    flags = {
        "max_total_time": seconds,
        "max_len": _INPUT_BYTES,
        "timeout": _TIMEOUT_SECONDS,
        "exact_artifact_path": FOLDER / name / "input-found",
    }
    (FOLDER / name / "input-found").unlink(missing_ok=True)
    atheris.Setup(
        [sys.argv[0], *(f"-{flag}={value}" for flag, value in flags.items()), str(corpus)],
        target.check,
    )
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
