"""What goes through the pipes between a node and the processes that audit for it.

A frame is its length (4 bytes, big endian) and a MessagePack list that begins with a word:

    node:    start      key of the index, its length, folder of compiled contracts or nil
             segment    state, stop                    sampled   numbers of blocks
    worker:  blocks     start, stop               for a list of blocks, short where one is missing
             operations list of [oplog, seq]      for a list of [block, tree hash or nil], or nil
             forked     oplog                     for true or false
             verdicts   the verdicts of the part; then the worker waits for the next
             fault      why it cannot go on
    node:    answer     to the question

States and violations are written as in checkpoints and in proof files.
"""

from __future__ import annotations

from typing import Any

import msgpack

from protocol.errors import RecordError
from protocol.transparency.audits.segments import Segment
from protocol.transparency.frauds import (
    CannotTell,
    ContractFraudProof,
    UncertaintyCode,
    Verdict,
    Verified,
    Violated,
)
from protocol.transparency.replay.state import decode_state_untrusted, encode_state

from .parts import Part, Sampled

LENGTH_BYTES = 4

# The verdicts of a part, of which one may name a violation with two of the largest values; blocks
# and operations are bounded below this by the side that answers.
MAX_FRAME_BYTES = 256 * 1024 * 1024

# Blocks in one answer: as much as a replay handles as a group. One that is larger goes alone.
MAX_ANSWER_BYTES = 8 * 1024 * 1024

_NO_KEY = bytes(32)


class FrameError(Exception):
    """The other side of the pipe does not keep to this file."""


def encode_frame(*items: Any) -> bytes:
    """A message as a frame."""
    body: bytes = msgpack.packb(items, use_bin_type=True)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def frame_length(header: bytes) -> int:
    """The length in a frame's header; raises FrameError."""
    length = int.from_bytes(header, "big")
    if length > MAX_FRAME_BYTES:
        raise FrameError(f"a frame of {length} bytes")
    return length


def decode_body_untrusted(body: bytes) -> list[Any]:
    """The message in a frame; raises FrameError."""
    try:
        items = msgpack.unpackb(body, raw=False)
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        raise FrameError("a frame does not decode") from error
    if not isinstance(items, list) or not items or not isinstance(items[0], str):
        raise FrameError("a frame without a word")
    return items


def part_message(part: Part) -> bytes:
    """A part as a frame."""
    if isinstance(part, Segment):
        return encode_frame("segment", encode_state(part.state), part.stop)
    return encode_frame("sampled", list(part.blocks))


def part_of(items: list[Any]) -> Part:
    """The part in a message."""
    if items[0] == "segment":
        return Segment(decode_state_untrusted(items[1]), items[2])
    return Sampled(tuple(items[1]))


def encode_verdict(verdict: Verdict) -> list[Any]:
    """A verdict as a part of a message."""
    state = encode_state(verdict.state)
    if isinstance(verdict, Violated):
        proof = ContractFraudProof(_NO_KEY, 0, None, verdict.violation)
        return ["violated", state, proof.to_json()]
    if isinstance(verdict, CannotTell):
        return ["cannot tell", state, verdict.code.value, verdict.reason, verdict.seq]
    return ["verified", state]


def decode_verdict_untrusted(row: Any) -> Verdict:
    """Inverse of ``encode_verdict``; raises FrameError."""
    try:
        match row:
            case ["verified", bytes(state)]:
                return Verified(decode_state_untrusted(state))
            case ["violated", bytes(state), str(text)]:
                proof = ContractFraudProof.from_json_untrusted(text)
                return Violated(proof.violation, decode_state_untrusted(state))
            case ["cannot tell", bytes(state), str(code), str(reason), int(seq)]:
                known = UncertaintyCode(code)
                return CannotTell(known, reason, seq, decode_state_untrusted(state))
    except (RecordError, ValueError) as error:
        raise FrameError(f"a verdict does not decode: {error}") from error
    raise FrameError("something that is no verdict")
