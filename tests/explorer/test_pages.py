"""The explorer of a real node in a real browser: live, hostile values, every page at two widths."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from protocol.transparency.proofs.inclusion import InclusionProof
from tests.cli.processes import ok, running, serving, vitra
from vitra_node.api.client import ControlClient
from vitra_node.explorer.pages import PAGE_OPERATIONS

from .browser import Browser, browser
from .payloads import PAYLOADS

CONTRACT = """\
import { index } from 'contract'
export async function get ({ path }) { return await index.get(path) }
export function put ({ path, value, op = 'PUT' }, emit) { emit({ op, path, value }) }
export function drop ({ path }, emit) { emit({ op: 'DROP', path }) }
export function upgrade ({ code }, emit) { emit({ op: 'UPGRADE', code }) }
export function apply (tx, op) {
  if (op.op === 'UPGRADE') tx.setContractSource({ code: op.code })
  else if (op.op === 'DROP') tx.delete(op.path)
  else if (op.path) tx.put(op.path, op.value)
  else throw new Error(op.value)
}
"""

# Where screenshots are kept for people to look at; none are kept when it is not set.
ARTEFACTS = os.environ.get("VITRA_TEST_SCREENSHOTS")
VIEWS = ((1280, 800, "light"), (390, 844, "dark"))


@dataclass
class Explored:
    """A node, its explorer and a browser that looks at it."""

    directory: Path
    base: str
    browser: Browser
    client: ControlClient

    def call(self, method: str, **params: Any) -> Any:
        return self.client.call("contract.call", method=method, params=params, wait=True)

    def open(self, path: str) -> Any:
        return self.browser.call("open", url=self.base + path)

    def no_problems(self) -> None:
        problems = [each for each in self.browser.call("problems") if "status of 404" not in each]
        assert problems == []


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def explored(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Explored]:
    root = tmp_path_factory.mktemp("explored")
    (root / "contract.js").write_text(CONTRACT)
    directory = root / "data"
    ok(directory, "init", str(root / "contract.js"))
    with serving(directory, "--listen", "127.0.0.1:0"), exploring(directory, chromium) as page:
        yield page


@contextmanager
def exploring(directory: Path, chromium: Browser) -> Iterator[Explored]:
    """The explorer of a running node, open in the browser."""
    with (
        running(directory, "explorer") as explorer,
        ControlClient.connect(directory) as client,
    ):
        url = explorer.line()["url"]
        page = Explored(directory, url.partition("/?")[0], chromium, client)
        assert chromium.call("open", url=url)["url"] == page.base + "/", "the token stays nowhere"
        yield page
        assert explorer.end() == 0, explorer.errors()


def test_what_happens_is_on_the_page_within_two_seconds(explored: Explored) -> None:
    explored.open("/")
    explored.browser.call("text", text="Verified")
    taken = []
    for number in range(3):
        explored.call("put", path="/live", value=f"news {number}")
        taken.append(explored.browser.call("text", text=f"news {number}"))
    # One of three, for a machine that does something else meanwhile.
    assert min(taken) < 2_000
    explored.browser.call("text", text="verified", selector="#live-verdict")
    explored.no_problems()


def test_the_proofs_of_a_transaction_are_downloaded(explored: Explored, tmp_path: Path) -> None:
    tx = explored.call("put", path="/users/ann", value={"name": "Ann"})["tx"]
    explored.open("/transactions")
    explored.browser.call("click", selector=f"a[href='/transactions/{tx}']")
    explored.browser.call("text", text="Verified")
    file = tmp_path / "proof.json"
    explored.browser.call("download", selector="#download-proof", file=str(file))
    accepted = vitra(tmp_path, "proof", "check", str(file), "--json")
    assert (accepted.code, accepted.json["verdict"]) == (0, "verified"), accepted.err
    explored.no_problems()


def test_a_block_shows_its_way_up_and_gives_its_proof(explored: Explored, tmp_path: Path) -> None:
    explored.call("put", path="/block", value=1)
    length = explored.client.call("database.info")["index"]["length"]
    for seq in (0, 1, length - 1):
        assert explored.open(f"/block/index/{seq}")["status"] == 200
        shown = explored.browser.call("read")
        assert "The proof holds" in shown
        assert f"block {seq} (block)" in explored.browser.call("hidden", selector="details")
        file = tmp_path / f"{seq}.json"
        explored.browser.call("download", selector="#download-proof", file=str(file))
        proven = InclusionProof.from_json_untrusted(file.read_text()).check_untrusted()
        assert proven.index == seq
        assert vitra(tmp_path, "proof", "check", str(file)).code == 0
    explored.browser.call("view", width=390, height=844, scheme="light")
    for seq in range(length - 2, length):
        explored.open(f"/block/index/{seq}")
        in_sight = explored.browser.call("within", selector=".node.block", scroller=".drawing")
        assert in_sight, "on a phone the drawing begins where the block is"
    explored.browser.call("view", width=1280, height=800, scheme="light")
    assert explored.open(f"/block/index/{length}")["status"] == 404
    explored.no_problems()


def test_it_goes_without_a_mouse(explored: Explored) -> None:
    explored.open("/")
    assert explored.browser.call("press", key="Tab") == "Skip to the content"
    explored.browser.call("press", key="Tab")
    seen = [explored.browser.call("press", key="Tab") for _ in range(7)]
    assert seen == ["Overview", "Operations", "Calls", "Index", "Contract", "Audit", "Peers"]
    assert explored.browser.call("enter") == explored.base + "/peers"
    explored.browser.call("text", text="Connected now")


def test_hostile_values_are_shown_and_do_nothing(explored: Explored) -> None:
    assert len(PAYLOADS) >= 60
    pages = []
    for number, payload in enumerate(PAYLOADS):
        path = f"/x{number}/" + (payload.replace("/", "|").replace("\x00", "") or "empty")
        done = explored.call("put", path=path, value={payload: [payload]}, op=payload)
        assert done["results"][0]["ack"]["success"], payload
        pages.append((payload, done["tx"], done["results"][0]["ack_seq"]))
    explored.call("put", path="", value="<b>why it was refused</b>")
    explored.call("put", path="/large", value="<b>" + "x" * 1_000_000)
    for path in ("/", "/transactions", "/index", "/index?path=/large"):
        assert explored.open(path)["status"] == 200
        assert len(explored.browser.call("read")) < 200_000
        explored.no_problems()
    # Each payload is an operation's name, a path, a name within a value and a value.
    seen = ""
    for page in range(1 + len(PAYLOADS) // PAGE_OPERATIONS):
        explored.open("/operations") if page == 0 else explored.browser.call(
            "click", selector="a[rel=next]"
        )
        seen += explored.browser.call("read")
        explored.no_problems()
    for payload, _, _ in pages:
        begin = payload[:8].replace("\t", "\\x09")
        if begin.isprintable():
            assert begin in seen, payload
    assert "<b>why it was refused</b>" in seen
    for number, payload in list(enumerate(PAYLOADS))[::5]:
        assert explored.open(f"/index?path=/x{number}")["status"] == 200, payload
    explored.no_problems()


def test_hostile_transactions_and_operations_do_nothing(explored: Explored) -> None:
    for payload in PAYLOADS[::6]:
        done = explored.call("put", path="/again", value=payload, op=payload)
        for path in (
            f"/transactions/{done['tx']}",
            f"/operations/{done['results'][0]['ack_seq']}",
            f"/block/index/{done['results'][0]['ack_seq']}",
        ):
            assert explored.open(path)["status"] == 200
    for path in ("/index?path=/<script>alert(1)</script>", "/<script>alert(1)</script>"):
        assert explored.open(path)["status"] == 404
    explored.no_problems()


def test_every_page_at_two_widths_without_serious_findings(explored: Explored) -> None:
    done = explored.call("put", path="/users/bob", value={"name": "Bob", "age": 44})
    explored.call("drop", path="/users/bob")
    explored.call("upgrade", code=CONTRACT + "export function more () {}\n")
    ack = done["results"][0]["ack_seq"]
    pages = {
        "overview": "/",
        "operations": "/operations",
        "operation": f"/operations/{ack}",
        "calls": "/transactions",
        "call": f"/transactions/{done['tx']}",
        "index": "/index",
        "value": f"/index?path=/users/bob&version={ack + 2}",
        "block": f"/block/index/{ack}",
        "contract": "/contract",
        "audit": "/frauds",
        "peers": "/peers",
        "missing": "/nothing",
    }
    look(explored, pages)


def look(explored: Explored, pages: dict[str, str]) -> None:
    for name, path in pages.items():
        explored.open(path)
        for width, height, scheme in VIEWS:
            explored.browser.call("view", width=width, height=height, scheme=scheme)
            if ARTEFACTS:
                Path(ARTEFACTS).mkdir(parents=True, exist_ok=True)
                file = Path(ARTEFACTS, f"{name}-{width}-{scheme}.png")
                overhang = explored.browser.call("shoot", file=str(file))
            else:
                overhang = explored.browser.call("overhang")
            assert overhang <= 0, (name, width)
            assert explored.browser.call("axe") == [], (name, width)
    explored.no_problems()


def test_a_cheat_is_shown_with_both_statements(explored: Explored, tmp_path: Path) -> None:
    explored.call("put", path="/balance", value=100)
    explored.open("/")
    change = {"type": "put", "path": "/balance", "value": "<img src=x onerror=alert(1)>"}
    explored.client.call("index.dangerous_batch", changes=[change])
    explored.browser.call("text", text="Violated")
    (fraud,) = explored.client.call("fraud.list")
    explored.browser.call("click", selector="main a.button")
    explored.browser.call("click", selector=f"a[href='/frauds/{fraud['id']}']")
    shown = explored.browser.call("read")
    assert "The contract produces" in shown
    assert "The executor signed" in shown
    assert "<img src=x onerror=alert(1)>" in shown
    file = tmp_path / "fraud.json"
    explored.browser.call("download", selector="#download-proof", file=str(file))
    assert vitra(tmp_path, "proof", "check", str(file)).code == 20
    look(explored, {"violated": "/", "fraud": f"/frauds/{fraud['id']}", "frauds": "/frauds"})


def test_a_fork_is_shown_with_both_signed_heads(chromium: Browser, tmp_path: Path) -> None:
    (tmp_path / "contract.js").write_text(CONTRACT)
    directory, copy = tmp_path / "data", tmp_path / "copy"
    ok(directory, "init", str(tmp_path / "contract.js"))
    # The cheat: two nodes with the keys of one executor, each with a history of its own.
    shutil.copytree(directory, copy)
    for place, value in ((directory, "shown to Bob"), (copy, "shown to Carol")):
        ok(place, "call", "put", "--params", f'{{"path": "/news", "value": "{value}"}}', "--wait")
    with (
        serving(directory, "--listen", "127.0.0.1:0") as node,
        exploring(directory, chromium) as explored,
    ):
        chromium.call("text", text="Verified")
        with running(copy, "serve", "--no-swarm", "--peer", node["listen"]):
            chromium.call("text", text="Violated")
        # The oplog of the executor was written twice as well.
        forks = {fork["whose"]: fork for fork in explored.client.call("node.status")["forks"]}
        fork = forks["executor"]
        assert fork["kind"] == "BlockRewriteFraudProof"
        chromium.call("click", selector="main a.button")
        chromium.call("click", selector=f"a[href='/frauds/{fork['id']}']")
        shown = chromium.call("read")
        heads = explored.client.call("fraud.show", fraud=fork["id"])["proof"]["statements"]
        assert heads[0]["signature"] != heads[1]["signature"]
        assert "the executor did this" in shown
        for title, head in zip(("signed", "signed as well"), heads, strict=True):
            assert f"The writer {title}" in shown
            assert f"{head['length']} blocks, fork number 0" in shown
            assert head["signature"] in shown
        file = tmp_path / "fork.json"
        chromium.call("download", selector="#download-proof", file=str(file))
        checked = vitra(tmp_path, "proof", "check", str(file), "--json")
        assert (checked.code, checked.json["verdict"]) == (21, "violated"), checked.err
        look(explored, {"fork": f"/frauds/{fork['id']}"})
