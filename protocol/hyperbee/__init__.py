"""Hyperbee 2: a sorted key-value B-tree inside an append-only log.

``blocks`` and ``varint`` are the encoding; ``reading``, ``ranges``, ``history`` and ``diff`` read
a version, and ``key_proof`` shows one key of it to strangers; ``tree``, ``deletion`` and ``writer``
make the blocks of new operations; ``prefix`` maps the keys of subs. All of it is byte-identical
with npm ``hyperbee`` 2.27 (specs/06-hyperbee.md).
"""

from __future__ import annotations

from .blocks import (
    BeeBlock,
    Header,
    decode_block_untrusted,
    decode_header_untrusted,
    encode_header,
)
from .cache import BlockCache, CacheRoom
from .diff import Difference, DiffReader
from .history import HistoryReader, Operation
from .key_proof import check_key_untrusted, prove_key
from .prefix import sub_bounds, sub_prefix
from .ranges import Bounds, RangeReader
from .reading import BlockReads, Blocks, Entry, Recording, get, run
from .writer import BeeBatch, BeeWriter, CompareAndSwap, Delete, Put

__all__ = [
    "BeeBatch",
    "BeeBlock",
    "BeeWriter",
    "BlockCache",
    "BlockReads",
    "Blocks",
    "Bounds",
    "CacheRoom",
    "CompareAndSwap",
    "Delete",
    "DiffReader",
    "Difference",
    "Entry",
    "Header",
    "HistoryReader",
    "Operation",
    "Put",
    "RangeReader",
    "Recording",
    "check_key_untrusted",
    "decode_block_untrusted",
    "decode_header_untrusted",
    "encode_header",
    "get",
    "prove_key",
    "run",
    "sub_bounds",
    "sub_prefix",
]
