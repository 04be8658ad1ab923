"""No forged proof is accepted, and no genuine one refused.

``VITRA_TEST_FORGERIES=10000 VITRA_TEST_GENUINE=500`` tries as many; the defaults are for every run.
"""

from __future__ import annotations

import copy
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Callable
from random import Random
from typing import Any

import trio

from protocol.errors import RecordError
from protocol.transparency.frauds import ContractFraudProof, ViolationCode
from simulations.actors.cheating_executor import CHEATS, cheating_database
from vitra_node.database import Database
from vitra_node.frauds import ContractFraudProof as KeptProof
from vitra_node.ledger.contract_runner import ContractRunner
from vitra_node.roles.proof_check import REJECTED, VIOLATED, check_contract_fraud

FORGERIES = int(os.environ.get("VITRA_TEST_FORGERIES", "1500"))
GENUINE = int(os.environ.get("VITRA_TEST_GENUINE", "6"))

Document = dict[str, Any]
Forge = Callable[[Document, Document, Random], None]

# Cheats whose proofs between them have every kind of part.
SAMPLES = (
    "writes another value",
    "names another operation",
    "reports a failed operation as good",
    "writes unprompted",
    "skips an operation",
)


async def proof_of(name: str, rolls: Random) -> ContractFraudProof:
    """A genuine proof, of a cheat after operations at random."""
    with trio.fail_after(60):
        async with cheating_database(CHEATS[name].cheat) as database:
            # The second operation is lied about; it has several changes.
            await database.call("put", {"entries": entries(rolls, 1)})
            await database.call("put", {"entries": entries(rolls, 3)})
            await database.call("fail", {"text": f"as it should {rolls.random()}"})
            for _ in range(rolls.randrange(1, 6)):
                await database.call("put", {"entries": entries(rolls, 1)})
            while True:
                length = database.index.core.length
                found = await violation_of(database)
                if found is not None:
                    return found
                await database.index.core.wait_for_length(length + 1)


async def violation_of(database: Database) -> ContractFraudProof | None:
    try:
        await database.verify()
    except KeptProof as kept:
        return kept.proof
    return None


def entries(rolls: Random, at_least: int) -> dict[str, Any]:
    values = [None, 0, -1.5, "text", [1, {"a": True}], {"x": "y"}, "long " * 50]
    return {f"n{rolls.randrange(40)}-{n}": rolls.choice(values) for n in range(at_least + 2)}


# Forging ------------------------------------------------------------------------------------------


def flipped(text: str, rolls: Random) -> str:
    data = bytearray(b64decode(text))
    if not data:
        return b64encode(b"\x00").decode()
    data[rolls.randrange(len(data))] ^= 1 << rolls.randrange(8)
    return b64encode(data).decode()


def extracts(document: Document) -> list[Document]:
    return [document["evidence"]["index"], *document["evidence"]["oplogs"]]


def alter_block(document: Document, _: Document, rolls: Random) -> None:
    row = rolls.choice(rolls.choice(extracts(document))["blocks"])
    row[1] = flipped(row[1], rolls)


def drop_block(document: Document, _: Document, rolls: Random) -> None:
    blocks = rolls.choice(extracts(document))["blocks"]
    del blocks[rolls.randrange(len(blocks))]


def move_block(document: Document, _: Document, rolls: Random) -> None:
    rolls.choice(rolls.choice(extracts(document))["blocks"])[0] += rolls.choice((-1, 1, 2))


def alter_node(document: Document, _: Document, rolls: Random) -> None:
    extract = rolls.choice(extracts(document))
    row = rolls.choice(extract["nodes"] or extract["head"]["roots"])
    if rolls.random() < 0.5:
        row[2] = flipped(row[2], rolls)
    else:
        row[1] += 1


def drop_or_add_node(document: Document, _: Document, rolls: Random) -> None:
    nodes = rolls.choice(extracts(document))["nodes"]
    if nodes and rolls.random() < 0.5:
        del nodes[rolls.randrange(len(nodes))]
    else:
        nodes.insert(rolls.randrange(len(nodes) + 1), [2, 3, b64encode(bytes(32)).decode()])


def alter_head(document: Document, _: Document, rolls: Random) -> None:
    head = rolls.choice(extracts(document))["head"]
    name = rolls.choice(("fork", "length", "signature", "roots"))
    if name == "signature":
        # Of the field of a log with one writer (chapter 4) the middle is the signature; that it
        # has no patch can be said in several ways, as for any peer.
        field = bytearray(b64decode(head[name]))
        field[2 + rolls.randrange(64)] ^= 1 << rolls.randrange(8)
        head[name] = b64encode(field).decode()
    elif name == "roots":
        row = rolls.choice(head[name])
        row[2] = flipped(row[2], rolls)
    else:
        head[name] += 1


def from_another(document: Document, other: Document, rolls: Random) -> None:
    """Parts of the proof of another database."""
    part = rolls.choice(("index", "oplogs", "evidence", "databaseKey", "operation", "manifest"))
    if part == "manifest":
        document["evidence"]["index"]["manifest"] = other["evidence"]["index"]["manifest"]
    elif part in ("index", "oplogs"):
        document["evidence"][part] = other["evidence"][part]
    else:
        document[part] = other[part]


def claim_another_code(document: Document, _: Document, rolls: Random) -> None:
    others = [code.value for code in ViolationCode if code.value != document["code"]]
    document["code"] = rolls.choice(others)


def claim_another_place(document: Document, _: Document, rolls: Random) -> None:
    name = rolls.choice(("seq", "ackSeq", "opSeq", "length"))
    document[name] = (document[name] or 0) + 1


def claim_an_honest_start(document: Document, _: Document, rolls: Random) -> None:
    """Another operation than the one that was lied about."""
    start = document["evidence"]["start"]
    document["evidence"]["start"] = rolls.choice([seq for seq in range(start + 9) if seq != start])


def same_statement_twice(document: Document, _: Document, rolls: Random) -> None:
    write = {"path": "/x", "key": b64encode(b"x").decode(), "value": b64encode(b"\x01").decode()}
    write = document["actual"] or document["expected"] or write
    document["expected"] = document["actual"] = write


def alter_claim(document: Document, _: Document, rolls: Random) -> None:
    name = rolls.choice(("expected", "actual"))
    write = document[name]
    if write is None:
        document[name] = {"path": "/x", "key": b64encode(b"x").decode(), "value": None}
    else:
        write["value"] = flipped(write["value"] or "", rolls)


def alter_words(document: Document, _: Document, rolls: Random) -> None:
    name = rolls.choice(("expectedError", "actualError", "runtime"))
    document[name] = f"{document[name]}!"


def no_evidence(document: Document, _: Document, rolls: Random) -> None:
    document["evidence"] = None


def show_oplog_twice(document: Document, _: Document, rolls: Random) -> None:
    document["evidence"]["oplogs"] *= 2


FORGES: tuple[Forge, ...] = (
    alter_block,
    drop_block,
    move_block,
    alter_node,
    drop_or_add_node,
    alter_head,
    from_another,
    claim_another_code,
    claim_another_place,
    claim_an_honest_start,
    same_statement_twice,
    alter_claim,
    alter_words,
    no_evidence,
    show_oplog_twice,
)


async def test_no_forgery_is_accepted() -> None:
    rolls = Random(20)
    genuine = [json.loads((await proof_of(name, rolls)).to_json()) for name in SAMPLES]
    tried = 0
    async with ContractRunner.open() as runner:
        while tried < FORGERIES:
            forge = FORGES[tried % len(FORGES)]
            original, other = rolls.sample(genuine, 2)
            document = copy.deepcopy(original)
            try:
                forge(document, copy.deepcopy(other), rolls)
            except IndexError:
                # Nothing of the kind in this one, such as an oplog.
                document = original
            if document == original:
                forge = alter_block
                document = copy.deepcopy(original)
                alter_block(document, other, rolls)
            tried += 1
            assert not await accepted(document, runner), (tried, forge.__name__)
        for document in genuine:
            assert await accepted(document, runner)


async def accepted(document: Document, runner: ContractRunner) -> bool:
    try:
        proof = ContractFraudProof.from_json_untrusted(json.dumps(document))
    except RecordError:
        return False
    found = await check_contract_fraud(proof, runner)
    assert found.verdict in (VIOLATED, REJECTED), found
    return found.verdict == VIOLATED


async def test_genuine_proofs_are_accepted() -> None:
    rolls = Random(30)
    names = list(CHEATS)
    names.remove("puts another source in force")  # these runs set no source
    async with ContractRunner.open() as runner:
        for number in range(GENUINE):
            name = names[number % len(names)]
            proof = await proof_of(name, rolls)
            again = ContractFraudProof.from_json_untrusted(proof.to_json())
            assert again == proof
            found = await check_contract_fraud(again, runner, database_key=proof.database_key)
            assert (found.verdict, found.code) == (VIOLATED, CHEATS[name].code), (number, found)
            elsewhere = await check_contract_fraud(again, runner, database_key=bytes(32))
            assert elsewhere.verdict == REJECTED
