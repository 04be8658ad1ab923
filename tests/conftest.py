"""Runs ``async def`` tests under trio; ``autojump_clock`` gives them a virtual clock."""

from __future__ import annotations

import inspect
import signal
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, settings

from vitra_node.ledger import opening

# A job in the background of a shell is told to ignore Ctrl-C, and so would be all that it starts.
# What the tests interrupt has to listen, wherever they run.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says nothing here: machines that run tests do other things as well.
settings.register_profile(
    "steady", settings.default, deadline=None, suppress_health_check=(HealthCheck.too_slow,)
)
settings.load_profile("steady")


@pytest.fixture(scope="session", autouse=True)
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Databases in memory share what the compiler makes of a source: a second for each of them."""
    shared = tmp_path_factory.mktemp("compiled")
    own = opening.cache_dir_of
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "cache_dir_of", lambda path: own(path) or shared)
        yield


@pytest.fixture
def autojump_clock() -> trio.testing.MockClock:
    """A clock that jumps to the next deadline whenever every task waits."""
    return trio.testing.MockClock(autojump_threshold=0)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run coroutine functions as the main task of a fresh trio run."""
    function = pyfuncitem.obj
    if not inspect.iscoroutinefunction(function):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments: dict[str, Any] = {name: pyfuncitem.funcargs[name] for name in names}
    clock = next((a for a in arguments.values() if isinstance(a, trio.testing.MockClock)), None)
    trio.run(partial(function, **arguments), clock=clock)
    return True
