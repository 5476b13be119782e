"""An argument parser: bad usage is answered with one line, the nearest spelling, and 64."""

from __future__ import annotations

import argparse
import os
import re
import sys
from typing import TYPE_CHECKING, NoReturn

from netproxy.app.cli.printing import write

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

EXIT_USAGE = os.EX_USAGE  # 64
_HELP_COLUMNS = 96

_UNKNOWN = re.compile(r"^unrecognized arguments: (\S+)")
_CHOICE = re.compile(r"^argument (.+): invalid choice: '(.*?)' \(choose from (.*)\)$")


class UsageParser(argparse.ArgumentParser):
    """No abbreviations (an option that guesses is an option that surprises), one-line errors."""

    is_quiet = False  # whether nobody reads what it prints

    def __init__(self, **kwargs: object) -> None:
        kwargs.setdefault("allow_abbrev", False)
        kwargs.setdefault("formatter_class", _HelpFormatter)
        super().__init__(**kwargs)  # type: ignore[arg-type]  # argparse's own keywords, passed on

    def error(self, message: str) -> NoReturn:
        """Print `netproxy VERB: what, did you mean …` and leave with 64."""
        if not self.is_quiet:
            sys.stderr.write(f"{self.prog}: {self._explain(message)}\n")
        raise SystemExit(EXIT_USAGE)

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:  # noqa: ARG002  # argparse's own
        """Print the help: what `error` says goes another way."""
        if not self.is_quiet:
            write(message, end="")

    def _explain(self, message: str) -> str:
        if unknown := _UNKNOWN.match(message):
            if not unknown[1].startswith("-"):
                return f"'{unknown[1]}' is one word too many (see {self.prog} --help)"
            word = unknown[1].split("=", 1)[0]
            return f"unknown option {word}{did_you_mean(word, self._option_string_actions)}"
        if choice := _CHOICE.match(message):
            allowed = [word.strip(" '") for word in choice[3].split(",")]
            listed = ", ".join(allowed)
            return (
                f"{choice[1]}: '{choice[2]}' is not one of {listed}"
                f"{did_you_mean(choice[2], allowed)}"
            )
        return f"{message} (see {self.prog} --help)"


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """As wide as the help is written; asking how wide the terminal is takes 3 ms of each start."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_HELP_COLUMNS)


def did_you_mean(word: str, known: object) -> str:
    """`, did you mean X?` for the nearest of `known` (an iterable of str), or nothing."""
    import difflib

    near = difflib.get_close_matches(word, list(known), n=1)  # type: ignore[call-overload]  # any iterable of str
    return f", did you mean {near[0]}?" if near else ""
