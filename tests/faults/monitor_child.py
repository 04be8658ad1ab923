"""A monitor that works until it is killed, saying on stdout what it told and what it kept.

Lines: ``resumed N``, ``validated N``, and ``kept N`` once a checkpoint with so many operations is
on the disk.
"""

from __future__ import annotations

import sys

import trio

from protocol.transparency.audits.checkpoint import decode_checkpoint_untrusted
from vitra_node.database import Database
from vitra_node.roles.checkpoints import TABLE
from vitra_node.roles.monitor import Validated


def say(line: str) -> None:
    """One line, out of this process before anything else happens."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def say_what_is_kept(database: Database) -> None:
    """Look at what stands on the disk, again and again."""
    said = -1
    while True:
        stored = database.store.records.table(TABLE).get(database.key)
        if stored is not None:
            operations = decode_checkpoint_untrusted(stored).state.operations
            if operations != said:
                said = operations
                say(f"kept {operations}")
        await trio.sleep(0.02)


async def main(directory: str) -> None:
    """Open the database and monitor it."""
    async with Database.load(directory) as database, trio.open_nursery() as nursery:
        nursery.start_soon(say_what_is_kept, database)
        async with database.monitor() as monitor:
            async for event in monitor:
                assert isinstance(event, Validated), event
                say(f"{'resumed' if event.resumed else 'validated'} {event.operations}")


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
