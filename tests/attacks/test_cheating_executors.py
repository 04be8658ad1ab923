"""Every cheat of an executor is found by ``verify`` and by a monitor elsewhere, and proven.

The proof is then checked by somebody who has nothing else: another process, another directory, no
network.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from simulations.actors.cheating_executor import CHEATS, CONTRACT, cheating_database
from vitra_node.database import Database
from vitra_node.frauds import ContractFraudProof
from vitra_node.roles.monitor import ViolationFound

from .strangers import check_elsewhere

SPEC = Path(__file__).parents[2] / "specs" / "10-auditing.md"
SECONDS = 60


async def use(database: Database) -> None:
    """Operations of every kind; the last ones make sure that no transaction is at the end."""
    await database.call("put", {"entries": {"a": 1, "b": 2}})
    await database.call("put", {"entries": {"a": 3, "c": [1, 2], "d": None}})
    await database.call("fail", {"text": "as it should"})
    await database.call("upgrade", {"code": CONTRACT + "// the next version\n"})
    await database.call("put", {"entries": {"e": 5}})
    await database.call("put", {"entries": {"f": 6}})


async def verified_by_owner(database: Database) -> ContractFraudProof:
    """The proof that ``verify`` raises, as soon as there is enough to see."""
    core = database.index.core
    while True:
        length = core.length
        try:
            await database.verify()
        except ContractFraudProof as proof:
            return proof
        await core.wait_for_length(length + 1)


async def found_by_monitor(database: Database) -> ContractFraudProof:
    """The proof of a monitor on another node, which knows the key and whom to ask."""
    host, port = await database.listen("127.0.0.1", 0)
    async with Database.load(None, database.key) as copy:
        await copy.connect(host, port)
        async with copy.monitor() as monitor:
            async for event in monitor:
                if isinstance(event, ViolationFound):
                    return event.proof
    raise AssertionError("the monitor ended without a violation")


@pytest.mark.parametrize("name", CHEATS)
async def test_a_cheat_is_found_and_proven(name: str, tmp_path: Path) -> None:
    case = CHEATS[name]
    with trio.fail_after(SECONDS):
        async with cheating_database(case.cheat) as database:
            await use(database)
            seen = await verified_by_owner(database)
            elsewhere = await found_by_monitor(database)
    assert (seen.code, elsewhere.code) == (case.code, case.code)
    assert seen.proof.evidence is not None
    assert elsewhere.proof.evidence is not None
    file = tmp_path / "proof.json"
    file.write_text(elsewhere.to_json())
    answer = await trio.to_thread.run_sync(check_elsewhere, file, 20)
    assert (answer["verdict"], answer["code"]) == ("violated", case.code), answer
    assert answer["key"] == elsewhere.proof.database_key.hex()
    write_size(name, case.code, len(elsewhere.to_json()))


def write_size(name: str, code: str, size: int) -> None:
    """The table of the chapter has this cheat with its code, and a size of this order."""
    rows = [line.split("|")[1:-1] for line in SPEC.read_text().splitlines() if line.startswith("|")]
    row = next((row for row in rows if row[0].strip() == name and len(row) == 3), None)
    assert row is not None, f"| {name} | {code} | {size / 1024:.0f} KiB |"
    assert row[1].strip() == code
    told = float(row[2].strip().removesuffix(" KiB")) * 1024
    assert told / 2 < size < told * 2, (name, size)
