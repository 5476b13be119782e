"""Fixtures that everything shares: people to be, and a clean place to run in."""

from __future__ import annotations

import gc
import os
import pwd
import shutil
import signal
import tempfile
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import HealthCheck, settings

from tests.support.people import Person, myself, open_folder, ordinary_user, remove
from tests.support.privilege import like_anybody
from tests.support.reading import in_turns

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from xdist.remote import Producer


# No folder of examples: the suite also runs as users who may not write the checkout.
# Every run of the suite draws other examples, so few at a time add up; `make fuzz` draws many.
# How fast they are drawn says something about the machine, and nothing about what is tested.
settings.register_profile(
    "suite",
    database=None,
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("many", settings.get_profile("suite"), max_examples=500)
settings.load_profile("suite")

# Up to here a parameter is told of by itself.
_NAMED = 200


def pytest_configure(config: pytest.Config) -> None:
    """Keep gRPC out of what other tests fork, gateways out of the real home, and Ctrl-C in force.

    Where gRPC was used once, it starts threads in every forked child, and one with two threads may
    not enter a sandbox's user namespace (setns(2)). The gateway forks before it has any of that.
    """
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
    # A shell without job control starts what is to run beside it (`make test &`) deaf to Ctrl-C,
    # and so would be all that tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):  # workers inherit it
        state = tempfile.mkdtemp(prefix="netproxy-state-", dir="/var/tmp")
        os.environ["XDG_STATE_HOME"] = state
        # And control sockets out of the folder where the user's own gateways are.
        os.environ["XDG_RUNTIME_DIR"] = state
        config.add_cleanup(lambda: shutil.rmtree(state, ignore_errors=True))
    in_turns(config)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Twelve thousand tests stay to the end: nobody looks for garbage among them.

    To look through them once takes half a second, and reading them does so again and again.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A long value has no place in the name of its test, of which every worker is told all."""
    if isinstance(val, str | bytes) and len(val) > _NAMED:
        return f"{argname} of {len(val)}"
    return None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> object:
    """Only for `--dist loadgroup`, which `make test` asks for."""
    if config.getoption("dist") != "loadgroup":
        return None
    from tests.support.scheduling import ByFile

    return ByFile(config, log)


@pytest.fixture
def base() -> Iterator[Path]:
    """A folder outside /tmp (which is private inside a sandbox) that every user can reach."""
    folder = open_folder()
    yield folder
    remove(folder)


@pytest.fixture
def no_override() -> Iterator[None]:
    """File permissions hold for us, even as root."""
    with like_anybody():
        yield


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the environment nor the password database knows a home of ours."""

    def unknown(uid: int) -> NoReturn:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.fixture
def me(base: Path) -> Person:
    home = base / "my-home"
    home.mkdir()
    return myself(home)


@pytest.fixture
def ordinary(base: Path, me: Person) -> Person:
    """An ordinary user, for long tables in which root's rows would say the same again."""
    return ordinary_user(base) if os.getuid() == 0 else me


@pytest.fixture(params=["myself", "user"])
def person(request: pytest.FixtureRequest, base: Path, me: Person) -> Person:
    """Each in turn: whoever runs the suite, and an ordinary user where we may make one."""
    if request.param == "myself":
        return me
    if os.getuid() != 0:
        pytest.skip("not root: the suite's own user is the ordinary user already")
    return ordinary_user(base)
