"""Fields of the JSON in which proofs are kept: written exactly, read with their types checked.

Readers raise ``RecordError``; a proof file comes from a stranger.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any, TypeVar

from ...errors import RecordError
from ...limits import MAX_SAFE_INTEGER

T = TypeVar("T")


def load_untrusted(text: str, marker: str, proof_format: int) -> dict[str, Any]:
    """Parse a proof whose first field ``marker`` says its kind and format.

    Raises:
      RecordError: not JSON, or not this kind and format.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"not JSON: {error}") from error
    if not isinstance(document, dict) or read_count(document, marker) != proof_format:
        raise RecordError(f"not a proof with {marker} {proof_format}")
    return document


def base64_of(data: bytes | None) -> str | None:
    """Bytes as text."""
    return None if data is None else b64encode(data).decode("ascii")


def field(document: Any, name: str) -> Any:
    """A field of an object, which has to be there."""
    if not isinstance(document, dict) or name not in document:
        raise RecordError(f"{name} is missing")
    return document[name]


def read_text(document: Any, name: str) -> str:
    """A text field."""
    value = field(document, name)
    if not isinstance(value, str):
        raise RecordError(f"{name} is not text")
    return value


def read_count(document: Any, name: str) -> int:
    """An integer field from 0 to 2^53 - 1."""
    return as_count(field(document, name), name)


def as_count(value: Any, name: str) -> int:
    """The same for a value at hand."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SAFE_INTEGER:
        raise RecordError(f"{name} is not a count")
    return value


def read_bytes(document: Any, name: str) -> bytes:
    """A base64 field."""
    return as_bytes(field(document, name), name)


def as_bytes(value: Any, name: str) -> bytes:
    """The same for a value at hand."""
    if isinstance(value, str):
        try:
            return b64decode(value, validate=True)
        except ValueError:
            pass
    raise RecordError(f"{name} is not base64")


def read_key(document: Any, name: str) -> bytes:
    """A field with 32 bytes in hex."""
    value = read_text(document, name)
    try:
        key = bytes.fromhex(value)
    except ValueError:
        key = b""
    if len(key) != 32 or key.hex() != value:
        raise RecordError(f"{name} is not a key in hex")
    return key


def optional(document: Any, name: str, read: Callable[[Any, str], T]) -> T | None:
    """A field that may be null, else is read by one of the others."""
    return None if field(document, name) is None else read(document, name)
