"""Virtual time, and the private switch of trio by which a seed orders the tasks."""

from __future__ import annotations

import time
from random import Random

import pytest
import trio
from trio._core import _run as scheduler

from simulations.chance import chance
from simulations.clock import START_SECONDS, run


def test_trio_still_has_the_switch() -> None:
    # Where this fails, trio has changed inside: the same seed would play different runs. Other
    # tests of the process may have left the switch on: Hypothesis turns it for its own.
    assert isinstance(scheduler._ALLOW_DETERMINISTIC_SCHEDULING, bool)
    assert isinstance(scheduler._r, Random)


def test_the_switch_is_turned_back_whatever_happens() -> None:
    before = scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r

    async def fail() -> None:
        assert scheduler._ALLOW_DETERMINISTIC_SCHEDULING is True
        assert scheduler._r is order
        raise ZeroDivisionError

    order = chance(1, "scheduler")
    with pytest.raises(ZeroDivisionError):
        run(fail, order)
    assert before == (scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r)


def test_hours_pass_in_no_time() -> None:
    async def main() -> float:
        assert trio.current_time() == pytest.approx(START_SECONDS)
        await trio.sleep(80_000)
        return trio.current_time()

    began = time.monotonic()
    assert run(main, chance(1, "scheduler")) == pytest.approx(START_SECONDS + 80_000)
    # Far less than what was slept.
    assert time.monotonic() - began < 1000


def test_a_seed_orders_tasks_that_are_cancelled() -> None:
    """Trio wakes those in an order that depends on where they lie in memory."""

    def order(seed: int) -> list[int]:
        ended: list[int] = []
        # Objects in the way, so that two runs do not use the same places.
        in_the_way = [object() for _ in range(seed * 1000 + len(kept))]
        kept.append(in_the_way)

        async def one(number: int) -> None:
            try:
                await trio.sleep_forever()
            finally:
                ended.append(number)

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                for number in range(50):
                    nursery.start_soon(one, number)
                await trio.sleep(1)
                nursery.cancel_scope.cancel()

        run(main, chance(seed, "scheduler"))
        return ended

    kept: list[list[object]] = []
    first = order(1)
    assert sorted(first) == list(range(50))
    assert all(order(1) == first for _ in range(5))
    assert order(2) != first
