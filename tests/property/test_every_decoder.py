"""Every decoder of hostile bytes lets one kind of exception out, whatever it is given.

The decoders are found by their names: a function of ``protocol`` that ends in ``_untrusted`` and
takes bytes, a ``Decoder`` or text is tried here with ``CASES`` strings each. Those that need more
than bytes are listed with the test that tries them, so that none is forgotten.

``VITRA_TEST_DECODER_CASES=1000000`` tries more of them, ``VITRA_TEST_DECODER_SEED`` others.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import protocol
from protocol.encoding.compact import Decoder
from protocol.encoding.msgpack import unpack_untrusted
from protocol.encoding.paths import input_key
from protocol.errors import RemoteProtocolError
from protocol.hyperbee.blocks import decode_block_untrusted
from protocol.hyperbee.varint import decode_varint_untrusted
from protocol.hypercore.replication.messages import decode_message_untrusted
from protocol.mux.frames import batch_items_untrusted, decode_id_untrusted, decode_open_untrusted
from protocol.transparency.gossip.messages import (
    decode_message_untrusted as decode_gossip_untrusted,
)
from protocol.transparency.operations import plain_value_untrusted
from protocol.transparency.proofs.json_fields import load_untrusted
from protocol.transparency.records import decode_input_untrusted
from protocol.transparency.rollback import (
    ROLLBACK,
    Refused,
    decode_vote_untrusted,
    read_rollback_untrusted,
    source_in_block_untrusted,
)
from protocol.udx.packets import ranges_of_body_untrusted

from .hostile_bytes import mutations, samples

CASES = int(os.environ.get("VITRA_TEST_DECODER_CASES", "50000"))
SEED = int(os.environ.get("VITRA_TEST_DECODER_SEED", "1"))

ROOT = Path(__file__).parents[2]

Decode = Callable[[bytes], object]

INPUT_KEY = input_key(bytes(32))

# Functions that take more than bytes, and how to call them.
WITH_ARGUMENTS: dict[str, Decode] = {
    "hyperbee.blocks.decode_block_untrusted": lambda data: decode_block_untrusted(data, 7),
    "hyperbee.varint.decode_varint_untrusted": lambda data: decode_varint_untrusted(
        data, 0, len(data)
    ),
    "hypercore.replication.messages.decode_message_untrusted": lambda data: (
        decode_message_untrusted(data[0] % 12, data[1:]) if data else None
    ),
    "transparency.proofs.json_fields.load_untrusted": lambda data: load_untrusted(
        '{"a": 1, "x": "' + data.decode("latin-1"), "a", 1
    ),
    "transparency.operations.plain_value_untrusted": lambda data: plain_value_untrusted(
        unpack_untrusted(data)
    ),
    "transparency.rollback.read_rollback_untrusted": lambda data: read_rollback_untrusted(
        {"op": ROLLBACK, "to": unpack_untrusted(data)}, 20, 9
    ),
    "transparency.records.decode_input_untrusted": lambda data: decode_input_untrusted(
        INPUT_KEY, data
    ),
    "transparency.rollback.decode_vote_untrusted": lambda data: decode_vote_untrusted(
        data[:90], data[90:]
    ),
    "transparency.rollback.source_in_block_untrusted": lambda data: source_in_block_untrusted(
        9, data
    ),
    "transparency.gossip.messages.decode_message_untrusted": lambda data: (
        decode_gossip_untrusted(data[0] % 5, data[1:]) if data else None
    ),
    "udx.packets.ranges_of_body_untrusted": lambda data: ranges_of_body_untrusted(
        data, len(data) % 5
    ),
    "mux.frames.decode_open_untrusted": lambda data: decode_open_untrusted(data, 0, len(data)),
    "mux.frames.decode_id_untrusted": lambda data: decode_id_untrusted(data, 0, len(data)),
    "mux.frames.batch_items_untrusted": lambda data: list(batch_items_untrusted(data, 0)),
}

# Where functions that take what a decoder gave are held to hostile values.
ELSEWHERE = {
    "tests/property/merkle_mutations.py": (
        "hypercore.merkle.verifier.fold_path_untrusted",
        "hypercore.merkle.verifier.verify_proof_untrusted",
    ),
    "tests/property/test_dht_decoders.py": (
        "dht.punching.holepunch_payload.open_holepunch_untrusted",
    ),
    "tests/property/test_heads.py": (
        "hypercore.heads.contradiction.check_head_untrusted",
        "hypercore.heads.contradiction.check_rewrite_untrusted",
        "hypercore.heads.contradiction.check_truncation_untrusted",
    ),
    "tests/property/test_hyperbee_key_proofs.py": ("hyperbee.key_proof.check_key_untrusted",),
    "tests/property/test_replication_codec.py": (
        "hypercore.merkle.block_proof.fold_block_untrusted",
    ),
    "tests/unit/hypercore/test_merkle_reorg.py": (
        "hypercore.merkle.reorg.begin_reorg_untrusted",
        "hypercore.merkle.reorg.drop_to_first_difference_untrusted",
    ),
    "tests/unit/hypercore/test_merkle_verifier.py": (
        "hypercore.merkle.verifier.verify_first_upgrade_untrusted",
    ),
    "tests/vectors/test_dht_codecs.py": ("dht.records.encoding.verify_announce_untrusted",),
    "tests/vectors/test_replication_messages.py": (
        "hypercore.replication.capability.check_open_untrusted",
    ),
}


def functions() -> Iterator[tuple[str, Callable[..., object]]]:
    """All of them, by the name of their module within the package and their own."""
    for info in pkgutil.walk_packages(protocol.__path__, "protocol."):
        module = importlib.import_module(info.name)
        for name, function in vars(module).items():
            is_ours = inspect.isfunction(function) and function.__module__ == info.name
            if is_ours and name.endswith("_untrusted") and not name.startswith("_"):
                yield f"{info.name.removeprefix('protocol.')}.{name}", function


def from_bytes(name: str, function: Callable[..., Any]) -> Decode | None:
    """How to call it with bytes alone, or None."""
    if name in WITH_ARGUMENTS:
        return WITH_ARGUMENTS[name]
    first, *others = inspect.signature(function).parameters.values()
    if any(other.default is inspect.Parameter.empty for other in others):
        return None
    kind = first.annotation
    if kind == "bytes":
        return function
    if kind == "Decoder":
        return lambda data: function(Decoder(data))
    if kind == "str":
        return lambda data: function(data.decode("utf-8", "replace"))
    return None


DECODERS = {
    name: decode
    for name, function in functions()
    if (decode := from_bytes(name, function)) is not None
}


def test_no_function_is_forgotten() -> None:
    names = {name for name, _ in functions()}
    assert names - DECODERS.keys() == {name for held in ELSEWHERE.values() for name in held}
    assert len(DECODERS) > 50
    for test in ELSEWHERE:
        assert (ROOT / test).exists(), test


@pytest.mark.parametrize("name", DECODERS)
def test_one_kind_of_exception_leaves(name: str) -> None:
    decode = DECODERS[name]
    known = samples()
    good = tuple(data for data in known if is_accepted(decode, data))
    # What it accepts is where mutations reach furthest; the rest is for what nobody thought of.
    for seeds, share in ((good or known, 0.8), (known, 0.2)):
        for number, data in enumerate(mutations(seeds, int(CASES * share), SEED)):
            try:
                decode(data)
            except (RemoteProtocolError, Refused):
                pass
            except BaseException as error:
                raise AssertionError(f"case {number}: {data.hex()}") from error


def is_accepted(decode: Decode, data: bytes) -> bool:
    """Whether it decodes without a complaint."""
    try:
        decode(data)
    except (RemoteProtocolError, Refused):
        return False
    return True
