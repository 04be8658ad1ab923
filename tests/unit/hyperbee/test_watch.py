"""``Hyperbee.watch``: every change of the range is heard of, and nothing else is."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from protocol.errors import LocalProtocolError
from vitra_node.storage.bee.hyperbee import BeeChange, Hyperbee
from vitra_node.storage.corestore import Corestore
from vitra_node.storage.errors import NotWritable

from .test_views import Core


async def test_changes_of_a_range(autojump_clock: trio.testing.MockClock) -> None:
    async with Corestore.open(None) as store:
        core = await store.get(name="bee")
        bee = Hyperbee(core)
        await bee.put(b"b", b"0")
        heard: list[BeeChange] = []

        async def listen() -> None:
            async for change in watch:
                heard.append(change)

        watch = bee.watch(gte=b"b", lt=b"c")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            for key, value in ((b"a", b"1"), (b"b", b"1"), (b"c", b"1"), (b"bb", b"2")):
                await bee.put(key, value)
                await trio.testing.wait_all_tasks_blocked()
            await bee.delete(b"a")
            await bee.delete(b"b")
            await trio.testing.wait_all_tasks_blocked()
            assert [change.current.version for change in heard] == [4, 6, 8]
            current, previous = heard[0]
            assert previous is not None
            before, after = await previous.get(b"b"), await current.get(b"b")
            assert before is not None
            assert after is not None
            assert (before.value, after.value) == (b"0", b"1")
            await core.truncate(4)
            await trio.testing.wait_all_tasks_blocked()
            assert heard[-1].previous is None
            assert await heard[-1].current.get(b"bb") is None
            nursery.cancel_scope.cancel()


async def test_subs_are_watched_for_themselves(autojump_clock: trio.testing.MockClock) -> None:
    async with Corestore.open(None) as store:
        bee = Hyperbee(await store.get(name="bee"))
        sub = bee.sub(b"s")
        watch = sub.watch()
        await bee.put(b"x", b"1")
        await sub.put(b"x", b"2")
        current, previous = await anext(watch)
        assert previous is not None
        assert await previous.get(b"x") is None
        found = await current.get(b"x")
        assert found is not None
        assert found.value == b"2"


async def test_what_cannot_be_watched(autojump_clock: trio.testing.MockClock) -> None:
    async with Corestore.open(None) as store:
        bee = Hyperbee(await store.get(name="bee"))
        with pytest.raises(NotWritable):
            bee.snapshot().watch()
        with pytest.raises(LocalProtocolError):
            Hyperbee(Core()).watch()
