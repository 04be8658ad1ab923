"""Whatever a client sends, the node answers in frames and goes on."""

from __future__ import annotations

import json
from typing import Any

import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cli.fake_database import FakeDatabase
from vitra_node.api.control.control_connection import ControlConnection
from vitra_node.api.methods import METHODS
from vitra_node.api.session import Session

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.just("/counter")
PARAMETER_NAMES = sorted({p.name for method in METHODS.values() for p in method.parameters})
PARAMS = st.dictionaries(
    st.sampled_from(PARAMETER_NAMES),
    st.recursive(
        SCALARS,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["type", "path", "value"]), inner, max_size=3)
        ),
        max_leaves=5,
    ),
    max_size=3,
)
METHOD_NAMES = st.sampled_from([*METHODS, "stream.cancel", "nothing"])
QUESTIONS = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "method": METHOD_NAMES, "params": PARAMS, "id": st.just("asked")}
).map(lambda question: json.dumps(question).encode())
LINES = st.lists(QUESTIONS | st.binary(max_size=60).map(lambda data: data.replace(b"\n", b"")))


async def answers_to(lines: list[bytes]) -> list[dict[str, Any]]:
    """Every frame that comes back for these lines, and for a last question that must work."""
    ours, theirs = trio.testing.memory_stream_pair()
    connection = ControlConnection(theirs, Session(FakeDatabase().as_database(), None))
    last = {"jsonrpc": "2.0", "id": "last", "method": "contract.source", "params": {}}
    received = bytearray()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.run)
        await ours.send_all(b"".join(line + b"\n" for line in [*lines, json.dumps(last).encode()]))
        while b'"id":"last"' not in received:
            received += await ours.receive_some()
        await ours.aclose()
    return [json.loads(line) for line in received.splitlines()]


@settings(max_examples=300)
@given(LINES)
def test_any_lines_are_survived(lines: list[bytes]) -> None:
    frames = trio.run(answers_to, lines)
    assert frames[0]["method"] == "hello"
    assert any(frame.get("result", {}) for frame in frames if frame.get("id") == "last")
    for frame in frames:
        if "error" in frame and frame["id"] == "asked":
            assert frame["error"]["data"]["kind"] != "InternalFault", frame
