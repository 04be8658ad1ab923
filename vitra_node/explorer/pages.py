"""The pages: each asks the node and fills a template."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from protocol.errors import ProofError
from protocol.transparency.proofs.inclusion import InclusionProof

from ..errors import NotFound, UsageProblem
from .merkle_picture import picture_of
from .site import Site
from .source_diff import diff_of
from .statements import statements_of

PAGE_OPERATIONS = 25
NEWEST_OPERATIONS = 12
LISTED_ENTRIES = 200


async def overview(request: Request) -> Response:
    """Verdict, roles, peers, and the newest operations with their stages."""
    site = Site.of(request)
    newest: list[Any] = []
    if site.watch.state is not None and site.watch.state["index"]["length"]:
        page = await site.connection.call("log.operations", limit=NEWEST_OPERATIONS)
        newest = page["operations"]
    return site.page(request, "overview.html", operations=newest)


async def operations(request: Request) -> Response:
    """The history of the log: each operation with its ack and changes."""
    site = Site.of(request)
    before = _count(request, "before")
    page = await site.connection.call("log.operations", before=before, limit=PAGE_OPERATIONS)
    return site.page(
        request,
        "operations.html",
        operations=page["operations"],
        following=page["next"],
        before=before,
    )


async def operation(request: Request) -> Response:
    """One operation by the index block of its ack."""
    site = Site.of(request)
    ack_seq = request.path_params["ack_seq"]
    # Whatever stands right before the next ack: this operation is the newest below its own end.
    row = await _operation_at(site, ack_seq)
    end = ack_seq + 1 + len(row["changes"])
    return site.page(request, "operation.html", row=row, version=end)


async def _operation_at(site: Site, ack_seq: int) -> dict[str, Any]:
    end = ack_seq + 1
    async with site.connection.stream("log.history", start=ack_seq, end=ack_seq + 1) as blocks:
        async for block in blocks:
            value = block["value"]
            count = value.get("numChanges") if isinstance(value, dict) else None
            end += count if isinstance(count, int) and not isinstance(count, bool) else 0
    page = await site.connection.call("log.operations", before=end, limit=1)
    for row in page["operations"]:
        if row["ack_seq"] == ack_seq:
            found: dict[str, Any] = row
            return found
    raise NotFound(f"Index block {ack_seq} is no ack of an operation.")


async def transactions(request: Request) -> Response:
    """The calls that were made from this directory."""
    site = Site.of(request)
    found = await site.connection.call("tx.list")
    newest, more = found[::-1][:LISTED_ENTRIES], len(found) > LISTED_ENTRIES
    return site.page(request, "transactions.html", transactions=newest, more=more)


async def transaction(request: Request) -> Response:
    """One call with what came of it, and its proofs."""
    site = Site.of(request)
    tx = request.path_params["tx"]
    found = await site.connection.call("tx.show", tx=tx)
    verdict = await site.connection.call("tx.verify", tx=tx)
    return site.page(request, "transaction.html", tx=found, verdict=verdict)


async def transaction_proof(request: Request) -> Response:
    """The proof of one operation's results as a file, for `vitra proof check`."""
    site = Site.of(request)
    tx, number = request.path_params["tx"], request.path_params["number"]
    proofs = (await site.connection.call("tx.prove", tx=tx))["proofs"]
    if number >= len(proofs):
        raise NotFound(f"Transaction {tx} has {len(proofs)} proofs.")
    return site.download(f"transaction-{tx[:8]}-{number}.json", proofs[number])


async def index(request: Request) -> Response:
    """What stands at a path and below it, now or at an earlier length."""
    site = Site.of(request)
    path = request.query_params.get("path", "/") or "/"
    version = _count(request, "version")
    entry = None
    if path != "/":
        try:
            entry = await site.connection.call("index.get", path=path, version=version)
        except NotFound:
            entry = None
    entries = await site.connection.call(
        "index.list", path=path, version=version, limit=LISTED_ENTRIES + 1
    )
    if entry is None and not entries and path != "/":
        raise NotFound(f"The index has nothing at {path}.")
    return site.page(
        request,
        "index.html",
        path=path,
        parents=_parents(path),
        version=version,
        entry=entry,
        entries=entries[:LISTED_ENTRIES],
        more=len(entries) > LISTED_ENTRIES,
    )


async def index_value(request: Request) -> Response:
    """A value of the index as a file."""
    site = Site.of(request)
    path, version = request.query_params.get("path", "/"), _count(request, "version")
    entry = await site.connection.call("index.get", path=path, version=version)
    return site.download("value.json", entry)


async def block(request: Request) -> Response:
    """One block of a log, its Merkle path as a picture, and its proof."""
    site = Site.of(request)
    log, seq = request.path_params["log"], request.path_params["seq"]
    document = await site.connection.call("log.prove", log=log, seq=seq)
    proof = InclusionProof.from_json_untrusted(json.dumps(document))
    problem = None
    try:
        proof.check_untrusted()
    except ProofError as error:
        problem = str(error)
    content = None
    async with site.connection.stream("log.history", log=log, start=seq, end=seq + 1) as blocks:
        async for each in blocks:
            content = each
    return site.page(
        request,
        "block.html",
        log=log,
        seq=seq,
        document=document,
        content=content,
        size=len(proof.block.value),
        length=proof.upgrade.length,
        picture=picture_of(proof, verified=problem is None),
        problem=problem,
    )


async def block_proof(request: Request) -> Response:
    """The proof of a block as a file, for `vitra proof check`."""
    site = Site.of(request)
    log, seq = request.path_params["log"], request.path_params["seq"]
    proof = await site.connection.call("log.prove", log=log, seq=seq)
    return site.download(f"block-{log[:8]}-{seq}.json", proof)


async def contract(request: Request) -> Response:
    """The source of the contract, any version of it, and what changed."""
    site = Site.of(request)
    versions = await site.connection.call("contract.versions")
    if not versions:
        raise NotFound("The index holds no contract yet.")
    seqs = [version["seq"] for version in versions]
    wanted = _count(request, "seq")
    if wanted is not None and wanted not in seqs:
        raise NotFound(f"Index block {wanted} sets no contract source.")
    position = len(seqs) - 1 if wanted is None else seqs.index(wanted)
    source = (await site.connection.call("contract.source", seq=seqs[position]))["source"]
    diff = None
    if position:
        before = await site.connection.call("contract.source", seq=seqs[position - 1])
        diff = diff_of(before["source"], source)
    return site.page(
        request,
        "contract.html",
        versions=list(enumerate(versions, 1))[::-1],
        number=position + 1,
        seq=seqs[position],
        in_force=position == len(seqs) - 1,
        source=source,
        diff=diff,
    )


async def frauds(request: Request) -> Response:
    """The fraud proofs that are kept, and the monitor of this page."""
    site = Site.of(request)
    found = await site.connection.call("fraud.list")
    return site.page(request, "frauds.html", frauds=found)


async def fraud(request: Request) -> Response:
    """One fraud proof: the two statements that cannot both stand."""
    site = Site.of(request)
    found = await site.connection.call("fraud.show", fraud=request.path_params["fraud"])
    shown = statements_of(found["proof"])
    log = None
    if "logKey" in found["proof"] and found["kind"] != "ContractFraudProof":
        info = await site.connection.call("database.info")
        log = "index" if found["proof"]["logKey"] == info["key"] else "oplog"
    return site.page(request, "fraud.html", fraud=found, statements=shown, log=log)


async def fraud_proof(request: Request) -> Response:
    """A fraud proof as a file."""
    site = Site.of(request)
    found = await site.connection.call("fraud.show", fraud=request.path_params["fraud"])
    return site.download(f"fraud-{found['id'][:8]}.json", found["proof"])


async def peers(request: Request) -> Response:
    """Who is connected, and how the DHT does."""
    site = Site.of(request)
    found = await site.connection.call("node.peers")
    columns = list(dict.fromkeys(name for peer in found for name in peer))
    state = site.watch.state or {}
    dht = state.get("dht")
    return site.page(request, "peers.html", peers=found, columns=columns, dht=dht)


def _count(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None or text == "":
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise UsageProblem(f"{name} has to be a number.")
    return int(text)


def _parents(path: str) -> list[tuple[str, str]]:
    """Name and path of each step down to a path."""
    steps, so_far = [], ""
    for name in path.strip("/").split("/") if path != "/" else ():
        so_far += f"/{name}"
        steps.append((name, so_far))
    return steps
