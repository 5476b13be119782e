"""Whoever runs us has a name, if only a number."""

from __future__ import annotations

import os
import pwd

from netproxy.app.user import reviewer_name, user_name


def test_the_name_is_that_of_the_password_database() -> None:
    assert user_name() == pwd.getpwuid(os.getuid()).pw_name
    assert reviewer_name() == user_name()
