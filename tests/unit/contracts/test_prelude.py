"""The prelude's limits and paths are those of the protocol."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import vitra_node.contracts
from protocol import limits
from protocol.encoding.paths import parse_write_path
from protocol.errors import PathError
from tests.contracts.memory_host import MemoryHost
from tests.contracts.running import request, running
from vitra_node.contracts.engine import Put
from vitra_node.contracts.front_pass import refusals

PRELUDE = Path(vitra_node.contracts.__file__).parent / "prelude"

PATHS = """
export const apply = {
  TRY (tx, op) {
    const taken = []
    for (const path of op.paths) {
      try { tx.delete(path); taken.push(path) } catch {}
    }
    tx.put('/taken', taken)
  }
}
"""


def constant(name: str) -> int:
    text = "".join(path.read_text() for path in sorted(PRELUDE.glob("*.js")))
    (found,) = re.findall(rf"^var {name} = (\d+)$", text, re.MULTILINE)
    return int(found)


def test_limits_are_those_of_the_protocol() -> None:
    assert constant("MAX_VALUE_DEPTH") == limits.MAX_VALUE_DEPTH
    assert constant("MAX_VALUE_ITEMS") <= limits.MAX_VALUE_ITEMS
    assert constant("MAX_KEY_BYTES") == limits.MAX_KEY_BYTES
    assert constant("MAX_CHANGES") == limits.MAX_CHANGES_PER_OPERATION
    # The longest MessagePack that so many characters of JSON can stand for: three bytes for each
    # character of a text; a number of four characters takes nine.
    assert constant("MAX_VALUE_CHARS") * 3 <= limits.MAX_VALUE_BYTES
    assert constant("MAX_CHANGE_CHARS") * 2 <= limits.MAX_CHANGE_BYTES_PER_OPERATION


def test_modules_export_what_the_compiler_lets_import() -> None:
    text = (PRELUDE / "85-modules.js").read_text()
    for names in refusals.MODULES.values():
        for name in names:
            assert re.search(rf"^\s*'?{name}'?: |\bok: assertOk", text, re.MULTILINE), name


async def test_paths_are_those_of_the_codec() -> None:
    """All paths of up to six characters that could confuse, and some long ones."""
    paths = [
        "".join(characters)
        for length in range(7)
        for characters in itertools.product("/.\x00sy", repeat=length)
        if length < 5 or characters[0] == "/"
    ]
    paths += [
        "/.sys",
        "/.sys/a",
        "/.syss",
        "/a/.sys",
        "/.sys\x00a",
        "//.sys/a",
        "/é",
        "/😀",
        "/\uffff",
    ]
    paths += ["/" + "a" * n for n in (4095, 4096, 4097)]
    paths += ["/" + "é" * n for n in (2048, 2049)] + ["/" + "😀" * n for n in (1024, 1025)]
    expected = []
    for path in paths:
        try:
            parse_write_path(path)
        except PathError:
            continue
        expected.append(path)
    taken: list[str] = []
    async with running(PATHS) as worker:
        for start in range(0, len(paths), 3000):
            op = {"op": "TRY", "paths": paths[start : start + 3000]}
            (result,) = await worker.apply([request(op)], MemoryHost())
            assert result.error is None
            put = result.changes[-1]
            assert isinstance(put, Put)
            taken += put.value
    assert taken == expected
