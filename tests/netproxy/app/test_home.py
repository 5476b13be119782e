"""Where a user's home is, and that there is one."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from netproxy.app.home import home_of
from netproxy.errors import InvalidSettings


def test_the_environment_says_it() -> None:
    assert home_of({"HOME": "/home/a"}) == Path("/home/a")


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "relative/x"}])
def test_else_the_password_database_does(environ: dict[str, str]) -> None:
    assert home_of(environ) == Path(pwd.getpwuid(os.getuid()).pw_dir)


@pytest.mark.usefixtures("homeless")
def test_who_has_none_is_told() -> None:
    with pytest.raises(InvalidSettings, match="this user has no home folder"):
        home_of({})
