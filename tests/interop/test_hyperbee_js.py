"""Our Hyperbee against the JavaScript one: the same operations make the same blocks.

``VITRA_BEE_SEQUENCES=500 pytest tests/interop/test_hyperbee_js.py`` runs more sequences;
``VITRA_BEE_SEED`` moves the first seed.
"""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

from protocol.hyperbee import (
    BeeWriter,
    BlockReads,
    Bounds,
    CompareAndSwap,
    DiffReader,
    Entry,
    HistoryReader,
    RangeReader,
    decode_block_untrusted,
    get,
    run,
    sub_bounds,
    sub_prefix,
)

from .js_peer import JsPeer

SEQUENCES = int(os.environ.get("VITRA_BEE_SEQUENCES", "60"))
FIRST_SEED = int(os.environ.get("VITRA_BEE_SEED", "0"))

# ("put", key, value) or ("del", key), the last item True or False for a compare-and-swap.
Op: TypeAlias = tuple[Any, ...]
# ("op", Op) or ("batch", [Op, …])
Step: TypeAlias = tuple[str, Any]


def sequence(random_: random.Random) -> list[Step]:
    """A random history: phases that grow, churn and shrink a tree of few or many keys."""
    key_space = random_.choice([6, 30, 120, 500])
    swaps = random_.random() < 0.3

    def key() -> bytes:
        n = random_.randrange(key_space)
        return b"" if n == 0 and key_space == 6 else b"k%d" % n

    def op(deletions: float) -> Op:
        swap = (random_.random() < 0.5,) if swaps and random_.random() < 0.3 else ()
        if random_.random() < deletions:
            return ("del", key(), *swap)
        value = random_.choice([None, b"", b"v", b"v", b"%d" % random_.getrandbits(30)])
        return ("put", key(), value, *swap)

    steps: list[Step] = []
    if random_.random() < 0.5:
        # Three generations from the start: nodes that are neither root nor leaf.
        steps.append(("batch", [op(0) for _ in range(key_space)]))
    for deletions in random_.sample([0.05, 0.3, 0.6, 0.95], 3):
        for _ in range(random_.randrange(1, 25)):
            if random_.random() < 0.6:
                steps.append(("op", op(deletions)))
            else:
                size = random_.choice([0, 1, 2, 3, 7, 40])
                steps.append(("batch", [op(deletions) for _ in range(size)]))
    return steps


def as_json(step: Step) -> Any:
    def op_as_json(op: Op) -> list[Any]:
        return [item.hex() if isinstance(item, bytes) else item for item in op]

    kind, body = step
    return [kind, op_as_json(body) if kind == "op" else [op_as_json(op) for op in body]]


class Ours:
    """One core in memory, and one writer that lives as long as it is lucky."""

    def __init__(self, random_: random.Random, always_duplicate: bool) -> None:
        self.blocks: list[bytes] = []
        # Where a step ended; inside a batch there is no tree to read.
        self.versions = [1]
        self._made: list[bytes] = []
        self._random = random_
        self._always_duplicate = always_duplicate
        self._writer = BeeWriter(0, always_duplicate=always_duplicate)

    def run(self, reads: BlockReads[Any]) -> Any:
        return run(reads, lambda seq: decode_block_untrusted(self.blocks[seq], seq))

    def all(self, reader: Any) -> list[Any]:
        return list(iter(lambda: self.run(reader.next()), None))

    def write(self, step: Step) -> None:
        kind, body = step
        batch = self._writer.begin()
        for op in [body] if kind == "op" else body:
            cas: CompareAndSwap | None = None
            if isinstance(op[-1], bool):
                cas = (lambda a: lambda _before, _after: a)(op[-1])
            if op[0] == "put":
                self.run(batch.put(op[1], op[2], cas))
            else:
                self.run(batch.delete(op[1], cas))
        self._made += batch.flush()
        self.versions.append(max(1, len(self.blocks) + len(self._made)))
        # Batches are stacked now and then, and sometimes the writer starts over from the blocks.
        if self._random.random() < 0.4:
            self.append()
            if self._random.random() < 0.3:
                self._writer = BeeWriter(len(self.blocks), always_duplicate=self._always_duplicate)

    def append(self) -> None:
        self.blocks += self._made
        self._made = []
        self._writer.appended()


@asynccontextmanager
async def bees(path: Path) -> AsyncIterator[tuple[JsPeer, Callable[..., Any]]]:
    """A JavaScript peer and a function that opens a new bee of its on an own core."""
    async with JsPeer() as peer:
        store = (await peer.call("store.open", path=str(path)))["store"]

        async def open_bee(name: str, **options: Any) -> int:
            core = (await peer.call("core.open", store=store, name=name))["core"]
            bee: int = (await peer.call("bee.open", core=core, **options))["bee"]
            return bee

        yield peer, open_bee


def entry_of(data: Any) -> Entry | None:
    if data is None:
        return None
    value = None if data["value"] is None else bytes.fromhex(data["value"])
    return Entry(data["seq"], bytes.fromhex(data["key"]), value)


async def test_random_sequences_make_the_same_blocks(tmp_path: Path) -> None:
    async with bees(tmp_path) as (peer, open_bee):
        for seed in range(FIRST_SEED, FIRST_SEED + SEQUENCES):
            random_ = random.Random(seed)
            steps = sequence(random_)
            always_duplicate = random_.random() < 0.7
            bee = await open_bee(f"seed {seed}", alwaysDuplicate=always_duplicate)
            theirs = await peer.call("bee.run", bee=bee, steps=[as_json(step) for step in steps])
            ours = Ours(random_, always_duplicate)
            for step in steps:
                ours.write(step)
            ours.append()
            assert [block.hex() for block in ours.blocks] == theirs["blocks"], f"seed {seed}"
            if len(ours.blocks) > 1:
                await compare_readers(peer, bee, ours, random_)


async def compare_readers(peer: JsPeer, bee: int, ours: Ours, random_: random.Random) -> None:
    """A checkout, a range of it, and what is different in another checkout, by random bounds."""
    keys = [decode_block_untrusted(b, seq).key for seq, b in enumerate(ours.blocks) if seq]
    version, other = random_.choice(ours.versions), random_.choice(ours.versions)
    bounds = random_bounds(random_, lambda: random_.choice(keys))
    texts = {bound: key.hex() for bound, key in bounds.items()}
    reverse = random_.random() < 0.5
    theirs = await peer.call(
        "bee.list", bee=bee, version=version, range={"reverse": reverse} | texts
    )
    reader = RangeReader(version, Bounds(**bounds), reverse=reverse)
    assert ours.all(reader) == [entry_of(entry) for entry in theirs]
    theirs = await peer.call("bee.diff", bee=bee, version=version, other=other, range=texts)
    assert ours.all(DiffReader(version, other, Bounds(**bounds))) == [
        (entry_of(d["left"]), entry_of(d["right"])) for d in theirs
    ]
    key = random_.choice(keys)
    theirs = await peer.call("bee.get", bee=bee, version=version, key=key.hex())
    assert ours.run(get(version, key)) == entry_of(theirs)


def random_bounds(random_: random.Random, name: Callable[[], bytes]) -> dict[str, bytes]:
    bounds = {}
    if random_.random() < 0.7:
        bounds[random_.choice(["gt", "gte"])] = name()
    if random_.random() < 0.7:
        bounds[random_.choice(["lt", "lte"])] = name()
    return bounds


async def test_readers_agree(tmp_path: Path) -> None:
    """Ranges, checkouts, gets, histories and diffs over one tree of a few hundred keys."""
    random_ = random.Random(1)
    steps: list[Step] = []
    for _ in range(400):
        key = b"%03d" % random_.randrange(300)
        steps.append(("op", ("put", key, key) if random_.random() < 0.75 else ("del", key)))
    async with bees(tmp_path) as (peer, open_bee):
        bee = await open_bee("bee")
        await peer.call("bee.run", bee=bee, steps=[as_json(step) for step in steps])
        ours = Ours(random_, True)
        for step in steps:
            ours.write(step)
        ours.append()

        def name() -> bytes:
            return b"%03d" % random_.randrange(-5, 305)

        for _ in range(60):
            version = random_.randrange(1, len(ours.blocks) + 1)
            bounds = random_bounds(random_, name)
            options: dict[str, Any] = {"reverse": random_.random() < 0.5}
            if random_.random() < 0.3:
                options["limit"] = random_.randrange(20)
            theirs = await peer.call(
                "bee.list",
                bee=bee,
                version=version,
                range=options | {bound: key.hex() for bound, key in bounds.items()},
            )
            reader = RangeReader(version, Bounds(**bounds), **options)
            assert ours.all(reader) == [entry_of(entry) for entry in theirs]

            key = name()
            theirs = await peer.call("bee.get", bee=bee, version=version, key=key.hex())
            assert ours.run(get(version, key)) == entry_of(theirs)

            other = random_.randrange(1, len(ours.blocks) + 1)
            theirs = await peer.call(
                "bee.diff",
                bee=bee,
                version=version,
                other=other,
                range={bound: key.hex() for bound, key in bounds.items()},
            )
            assert ours.all(DiffReader(version, other, Bounds(**bounds))) == [
                (entry_of(d["left"]), entry_of(d["right"])) for d in theirs
            ]

            low = random_.randrange(-20, 20) or 1
            seqs = {random_.choice(["gt", "gte"]): low, "reverse": options["reverse"]}
            seqs[random_.choice(["lt", "lte"])] = random_.randrange(1, 30)
            theirs = await peer.call("bee.history", bee=bee, options=seqs)
            assert [
                (op.type, Entry(op.seq, op.key, op.value))
                for op in ours.all(HistoryReader(len(ours.blocks), **seqs))
            ] == [(op["type"], entry_of(op)) for op in theirs]


async def test_subs_agree(tmp_path: Path) -> None:
    random_ = random.Random(2)
    async with bees(tmp_path) as (peer, open_bee):
        bee = await open_bee("bee")
        sub = (await peer.call("bee.sub", bee=bee, prefix=b"b".hex()))["bee"]
        prefix = sub_prefix(b"", b"b")
        ours = Ours(random_, True)
        for key in (b"a", b"b", b"b\x01", b"c"):
            await peer.call("bee.put", bee=bee, key=key.hex(), value="01")
            ours.write(("op", ("put", key, b"\x01")))
        names = [b"", b"\x00", b"\x00\x00", b"\x01", b"x", b"y\xff", b"\xff\xff"]
        for key in names:
            await peer.call("bee.put", bee=sub, key=key.hex(), value="02")
            ours.write(("op", ("put", prefix + key, b"\x02")))
        ours.append()
        version = len(ours.blocks)
        for _ in range(30):
            bounds = random_bounds(random_, lambda: random_.choice(names))
            theirs = await peer.call(
                "bee.list", bee=sub, range={bound: key.hex() for bound, key in bounds.items()}
            )
            reader = RangeReader(version, sub_bounds(prefix, Bounds(**bounds)))
            found = [e._replace(key=e.key.removeprefix(prefix)) for e in ours.all(reader)]
            assert found == [entry_of(entry) for entry in theirs]
