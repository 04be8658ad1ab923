"""An executor that works until it is killed, saying on stdout what it has promised.

Lines: ``ready``, then ``published SEQ TRANSACTION`` and ``acknowledged SEQ`` in any order. Callers
are many, so that what they publish and what becomes of it stands in few commits.
"""

from __future__ import annotations

import sys

import trio

from vitra_node.database import Database

CALLERS = 20


def say(line: str) -> None:
    """One line, out of this process before anything else happens."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def call_for_ever(database: Database) -> None:
    """Publish and wait, again and again."""
    while True:
        transaction = await database.call("increment", {"amount": 1})
        seq = transaction.operations[0].seq
        say(f"published {seq} {transaction.id}")
        await transaction.when_processed()
        say(f"acknowledged {seq}")


async def main(directory: str) -> None:
    """Open the database and work."""
    async with Database.load(directory) as database, trio.open_nursery() as nursery:
        say("ready")
        for _ in range(CALLERS):
            nursery.start_soon(call_for_ever, database)


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
