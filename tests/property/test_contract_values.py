"""Values come back from a contract as they went in, and no text frightens the compiler."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol.encoding.msgpack import Date, same_value
from tests.contracts.memory_host import MemoryHost
from tests.contracts.running import compiled, request
from vitra_node.contracts import front_pass
from vitra_node.contracts.engine import Put
from vitra_node.contracts.worker import ContractWorker

CONTRACT = """
import { index } from 'contract'
export function echo (value) { return value }
export function units (text) {
  const units = []
  for (let i = 0; i < text.length; i++) units.push(text.charCodeAt(i))
  return [units, [...text], text.length, JSON.parse(JSON.stringify(text)), encodeURIComponent(text),
    decodeURIComponent(encodeURIComponent(text)), text.split('').join(''), text.slice(1, -1).length]
}
export const apply = {
  async COPY (tx, op) {
    tx.put('/op', op.value)
    tx.put('/index', (await index.get('/value')).value)
  }
}
"""

texts = st.text(
    st.characters(exclude_categories=["Cs"]).filter(lambda c: not "\ue000" <= c <= "\ue7ff")
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.sampled_from(["$", "$$", "__proto__", "toJSON"])
    | st.binary(max_size=40)
    | st.builds(Date, st.integers(-8_640_000_000_000_000, 8_640_000_000_000_000)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            texts | st.sampled_from(["$", "$$", "$a", "__proto__", "constructor", "1", "-1"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def worker() -> Iterator[ContractWorker]:
    """One worker for all examples; blocking, so that it belongs to no run of trio."""
    worker = ContractWorker(trio.run(compiled, CONTRACT), blocking=True)
    yield worker
    worker.close()


def _exact(value: Any) -> Any:
    """Floats by their bits, so that the last one counts."""
    if isinstance(value, float):
        return value if not value.is_integer() or abs(value) > 2**53 else int(value)
    if isinstance(value, list):
        return [_exact(item) for item in value]
    if isinstance(value, dict):
        return {key: _exact(item) for key, item in value.items()}
    return value


SETTINGS = settings(
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@given(value=values)
@SETTINGS
def test_values_survive(worker: ContractWorker, value: Any) -> None:
    host = MemoryHost({"/value": value})
    echoed = trio.run(worker.call, "echo", value, host).response
    assert same_value(echoed, value)
    assert _exact(echoed) == _exact(value)
    (result,) = trio.run(worker.apply, [request({"op": "COPY", "value": value})], host)
    assert [_exact(put.value) for put in result.changes if isinstance(put, Put)] == [
        _exact(value)
    ] * 2


@given(text=texts)
@SETTINGS
def test_texts_are_utf16_to_contracts(worker: ContractWorker, text: str) -> None:
    data = text.encode("utf-16-le")
    units = [int.from_bytes(data[i : i + 2], "little") for i in range(0, len(data), 2)]
    (seen, points, length, parsed, encoded, decoded, joined, cut) = trio.run(
        worker.call, "units", text, MemoryHost()
    ).response
    assert seen == units
    assert points == list(text)
    assert length == len(units)
    assert parsed == decoded == joined == text
    assert encoded.encode() == b"".join(
        bytes([b]) if (chr(b).isalnum() and b < 128) or b in b"-_.!~*'()" else b"%%%02X" % b
        for b in text.encode()
    )
    assert cut == max(0, len(units) - 2)


@given(
    source=st.text(max_size=200)
    | st.text("()[]{}`'\"?.=>&|*,;: \nasyncwitfor0123ax$/\\", max_size=80)
)
@settings(max_examples=400)
def test_any_text_is_compiled_or_refused(source: str) -> None:
    try:
        front_pass.run(source + "\nexport const apply = {}")
    except front_pass.Refusal as refusal:
        place = (refusal.line, refusal.column)
    else:
        place = (1, 1)
    assert min(place) >= 1
