"""The programs of specs/00-library.md and protocol/README.md do what is said about them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from .js_peer import JsPeer

ROOT = Path(__file__).parents[2]
CHAPTER = ROOT / "specs" / "00-library.md"
README = ROOT / "protocol" / "README.md"
SECONDS = 60
# Of `main` and what it needs; more would not be an example.
MAX_LINES = 20

_EXAMPLE = re.compile(r"<!-- example: (\w+) -->\n```python\n(.*?)^```$", re.S | re.M)

EXAMPLES: dict[str, str] = {
    name: code for path in (CHAPTER, README) for name, code in _EXAMPLE.findall(path.read_text())
}


async def run(name: str, *arguments: str) -> list[str]:
    """The lines that an example prints."""
    with trio.fail_after(SECONDS):
        done = await trio.run_process(
            [sys.executable, "-c", EXAMPLES[name], *arguments],
            cwd=ROOT,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
    assert (done.stderr.decode(), done.returncode) == ("", 0)
    return done.stdout.decode().splitlines()


@asynccontextmanager
async def running(name: str) -> AsyncIterator[str]:
    """An example that does not end; gives the first line it prints."""
    process = await trio.lowlevel.open_process(
        [sys.executable, "-c", EXAMPLES[name]], cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        printed = b""
        with trio.fail_after(SECONDS):
            while not printed.endswith(b"\n"):
                chunk = await process.stdout.receive_some()
                assert chunk, "it ended early"
                printed += chunk
        yield printed.decode()
    finally:
        with trio.CancelScope(shield=True):
            process.kill()
            await process.wait()


@pytest.mark.parametrize("name", EXAMPLES)
def test_they_are_short(name: str) -> None:
    lines = [line for line in EXAMPLES[name].splitlines() if line]
    assert len(lines) < MAX_LINES


def test_all_python_is_an_example() -> None:
    for path in (CHAPTER, README):
        text = path.read_text()
        assert text.count("```python") == len(_EXAMPLE.findall(text))


async def test_a_log() -> None:
    lines = await run("log")
    assert lines == ["3 16 b'second'", "[b'first'] 1"]
    assert all(f"`{line}`" in CHAPTER.read_text() for line in lines)


async def test_several_signers() -> None:
    lines = await run("signers")
    assert lines == ["1 b'agreed'"]
    assert all(f"`{line}`" in CHAPTER.read_text() for line in lines)


async def test_a_tree() -> None:
    lines = await run("tree")
    assert lines == ["2 11 [0, 2, 1]", "True"]
    assert all(f"`{line}`" in README.read_text() for line in lines)


@pytest.mark.parametrize("version", [11, 10])
async def test_serving(tmp_path: Path, version: int) -> None:
    async with running("serve") as line, JsPeer() as peer:
        key, address = line.split()
        copy = await peer.call("core.standalone", path=str(tmp_path), version=version, key=key)
        await peer.call("net.connect", core=copy["core"], port=int(address.rpartition(":")[2]))
        blocks = [await peer.call("core.get", core=copy["core"], index=i) for i in range(2)]
        assert blocks == [b"hello".hex(), b"from Python".hex()]


@pytest.mark.parametrize("version", [11, 10])
async def test_downloading(tmp_path: Path, version: int) -> None:
    async with JsPeer() as peer:
        core = await peer.call("core.standalone", path=str(tmp_path), version=version)
        await peer.call("core.fill", core=core["core"], count=100, size=3)
        port = (await peer.call("net.listen", core=core["core"]))["port"]
        lines = await run("download", f"127.0.0.1:{port}", core["key"])
        assert lines == [f"100 {bytes([2, 2, 2])!r}", "100"]


async def test_reading_a_hyperbee(tmp_path: Path) -> None:
    async with JsPeer() as peer:
        store = (await peer.call("store.open", path=str(tmp_path)))["store"]
        core = await peer.call("core.open", store=store, name="bee")
        bee = (await peer.call("bee.open", core=core["core"]))["bee"]
        for key, value in (("a", "1"), ("b", "2"), ("c", "3")):
            await peer.call("bee.put", bee=bee, key=key.encode().hex(), value=value.encode().hex())
        port = (await peer.call("net.listen", store=store))["port"]
        lines = await run("bee", f"127.0.0.1:{port}", core["key"])
        assert lines == ["Entry(seq=2, key=b'b', value=b'2')", "b'a' b'1'", "b'b' b'2'"]


async def test_finding_a_peer(tmp_path: Path) -> None:
    async with JsPeer("dht_peer.mjs") as peer:
        network = await peer.call("testnet", size=4)
        node = await peer.call("open", bootstrap=[[network["host"], network["port"]]])
        shared = await peer.call(
            "share", node=node["node"], path=str(tmp_path), blocks=[b"found".hex()]
        )
        lines = await run("find", str(network["port"]), shared["key"])
        assert lines == ["b'found'"]
