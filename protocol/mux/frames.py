"""The bytes of a mux message: ``uint channel, uint kind, payload``, control messages, batches.

Wire facts: specs/03-mux.md sections 3.1 to 3.3; npm ``protomux``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..encoding.compact import (
    Decoder,
    encode_optional_buffer,
    encode_string,
    encode_uint,
)
from ..errors import DecodeError, MuxError
from ..limits import (
    BATCH_BYTES,
    MAX_BATCH_ITEMS,
    MAX_CHANNEL_HANDSHAKE_BYTES,
    MAX_CHANNEL_ID_BYTES,
    MAX_PROTOCOL_NAME_BYTES,
)

# Channel 0 and its message kinds.
CONTROL = 0
BATCH = 0
OPEN = 1
REJECT = 2
CLOSE = 3

CONTROL_PREFIX = b"\x00"
_BATCH_PREFIX = b"\x00\x00"
_SWITCH = b"\x00"

# From here on an integer takes more than its first byte.
_MULTI_BYTE = 0xFD


class Outgoing(NamedTuple):
    """A message on its way out.

    Attributes:
      channel: our id of the channel, encoded.
      kind: the message kind, encoded.
      payload: the rest.
    """

    channel: bytes
    kind: bytes
    payload: bytes


class OpenMessage(NamedTuple):
    """The peer's open: its id for the channel, and what it is about."""

    remote_id: int
    protocol: str
    id: bytes | None
    handshake: bytes


def control_message(kind: int, payload: bytes) -> Outgoing:
    """A message on channel 0."""
    return Outgoing(CONTROL_PREFIX, encode_uint(kind), payload)


def encode_open(local_id: int, protocol: str, channel_id: bytes | None, handshake: bytes) -> bytes:
    """The payload of an open; the handshake goes last, without a length."""
    return (
        encode_uint(local_id)
        + encode_string(protocol)
        + encode_optional_buffer(channel_id)
        + handshake
    )


def decode_open_untrusted(message: bytes, start: int, end: int) -> OpenMessage:
    """Read the payload of an open from ``message[start:end]``.

    Raises:
      DecodeError: a field is cut off, over its limit, or not UTF-8.
    """
    decoder = Decoder(message, start, end)
    remote_id = decoder.uint()
    protocol = decoder.string(MAX_PROTOCOL_NAME_BYTES)
    channel_id = decoder.optional_buffer(MAX_CHANNEL_ID_BYTES)
    if decoder.remaining > MAX_CHANNEL_HANDSHAKE_BYTES:
        raise DecodeError(f"a channel handshake of {decoder.remaining} bytes is too long")
    return OpenMessage(remote_id, protocol, channel_id, decoder.raw())


def decode_id_untrusted(message: bytes, start: int, end: int) -> int:
    """Read the payload of a reject or a close: one channel id.

    Raises:
      DecodeError: it is cut off.
    """
    return Decoder(message, start, end).uint()


def batch_items_untrusted(message: bytes, start: int) -> Iterator[tuple[int, int, int, int]]:
    """Go through the items of a batch whose body begins at ``start``.

    Yields:
      (their channel id, message kind, start of the payload, end of the payload)

    Raises:
      DecodeError: the batch is cut off.
      MuxError: it has more than ``MAX_BATCH_ITEMS`` items.
    """
    end = len(message)
    decoder = Decoder(message, start)
    channel = decoder.uint()
    at = decoder.start
    items = 0
    while at < end:
        size = message[at]
        at += 1
        if size >= _MULTI_BYTE:
            decoder.start = at - 1
            size = decoder.uint()
            at = decoder.start
        items += 1
        if items > MAX_BATCH_ITEMS:
            raise MuxError(f"a batch of more than {MAX_BATCH_ITEMS} items")
        if size == 0:
            decoder.start = at
            channel = decoder.uint()
            at = decoder.start
            continue
        item_end = at + size
        if item_end > end:
            raise DecodeError("a batch ends inside an item")
        kind = message[at]
        if kind < _MULTI_BYTE:
            yield channel, kind, at + 1, item_end
        else:
            item = Decoder(message, at, item_end)
            kind = item.uint()
            yield channel, kind, item.start, item_end
        at = item_end


def encode_messages(queue: list[Outgoing]) -> list[bytes]:
    """Pack messages, in order, into as few mux messages as is sensible.

    A message alone, or a large one, stays plain; neighbours share a batch of about ``BATCH_BYTES``.
    """
    packed: list[bytes] = []
    batch: list[Outgoing] = []
    batch_bytes = 0
    for message in queue:
        size = len(message.payload)
        if size >= BATCH_BYTES:
            _flush(batch, packed)
            batch_bytes = 0
            packed.append(b"".join(message))
            continue
        batch.append(message)
        batch_bytes += size
        if batch_bytes >= BATCH_BYTES or 2 * len(batch) >= MAX_BATCH_ITEMS:
            _flush(batch, packed)
            batch_bytes = 0
    _flush(batch, packed)
    return packed


def _flush(batch: list[Outgoing], packed: list[bytes]) -> None:
    """Move a batch to ``packed``."""
    if len(batch) == 1:
        packed.append(b"".join(batch[0]))
    elif batch:
        packed.append(_encode_batch(batch))
    batch.clear()


def _encode_batch(batch: list[Outgoing]) -> bytes:
    current = batch[0].channel
    parts = [_BATCH_PREFIX, current]
    for channel, kind, payload in batch:
        if channel != current:
            parts += (_SWITCH, channel)
            current = channel
        parts += (encode_uint(len(kind) + len(payload)), kind, payload)
    return b"".join(parts)
