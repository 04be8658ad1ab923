"""Values as they cross the pipe to a worker: JSON, with tags for what JSON lacks.

An object with the single key ``$`` holds a kind and its data: ``["b", base64]`` bytes,
``["d", milliseconds]`` a date, ``["f", low, high]`` the two words of a float64 that is no whole
number (the engine's decimal texts are not always exact), ``["u"]`` undefined. A key made of ``$``
only is sent with one more ``$``, so data cannot look like a tag. The other half is
``prelude/70-values.js``.
"""

from __future__ import annotations

import base64
import json
import re
import struct
from typing import Any

from protocol.encoding.msgpack import UNDEFINED, Date, Value
from protocol.limits import MAX_SAFE_INTEGER, MAX_VALUE_DEPTH

from .errors import ContractValueError, WorkerFault

_ONLY_DOLLARS = re.compile(r"\$+\Z")
# Half a character is no text; the others stand for halves in the engine.
_UNAVAILABLE = re.compile("[\ud800-\udfff\ue000-\ue7ff]")


class WireEncoder:
    """Gives the JSON form of values, and remembers whether any of them needed a tag."""

    def __init__(self) -> None:
        self.has_tags = False

    def encode(self, value: Value, depth: int = MAX_VALUE_DEPTH) -> Any:
        """Give the JSON form of a value.

        Raises:
          ContractValueError: an integer beyond 2^53, half a character or one of U+E000 to U+E7FF,
            a type that is no value, or nesting deeper than ``MAX_VALUE_DEPTH``.
        """
        kind = type(value)
        if kind is str:
            return _text(value)  # type: ignore[arg-type]  # narrowed by identity of the type
        if value is None or kind is bool:
            return value
        if kind is int or kind is float:
            return self._number(value)  # type: ignore[arg-type]  # narrowed by identity of the type
        if isinstance(value, dict | list | tuple):
            if depth == 0:
                raise ContractValueError(f"a value is at most {MAX_VALUE_DEPTH} levels deep")
            if not isinstance(value, dict):
                return [self.encode(item, depth - 1) for item in value]
            return {self._key(key): self.encode(item, depth - 1) for key, item in value.items()}
        return self._rare(value)

    def _tag(self, *content: Any) -> Any:
        self.has_tags = True
        return {"$": content}

    def _number(self, value: int | float) -> Any:
        if isinstance(value, int):
            if abs(value) > MAX_SAFE_INTEGER + 1:
                raise ContractValueError(f"the integer {value} is beyond 2^53")
            return value
        if value.is_integer() and abs(value) <= MAX_SAFE_INTEGER + 1:
            return int(value)
        return self._tag("f", *struct.unpack("<ii", struct.pack("<d", value)))

    def _rare(self, value: Any) -> Any:
        if isinstance(value, bytes | bytearray | memoryview):
            return self._tag("b", base64.b64encode(value).decode())
        if isinstance(value, Date):
            return self._tag("d", value.milliseconds)
        if value is UNDEFINED:
            return self._tag("u")
        if isinstance(value, str):
            return _text(str(value))
        if isinstance(value, int | float):
            return self._number(value)
        raise ContractValueError(f"{type(value).__name__} is not a value")

    def _key(self, key: Any) -> str:
        if not isinstance(key, str):
            raise ContractValueError(f"the keys of an object are texts, not {type(key).__name__}")
        if key[:1] == "$" and _ONLY_DOLLARS.match(key):
            self.has_tags = True
            return key + "$"
        return _text(key)


def _text(text: str) -> str:
    if not text.isascii():
        found = _UNAVAILABLE.search(text)
        if found is not None:
            raise ContractValueError(f"the character U+{ord(found[0]):04X} is not available")
    return text


def to_wire(value: Value) -> Any:
    """Give the JSON form of one value.

    Raises:
      ContractValueError: see ``WireEncoder.encode``.
    """
    return WireEncoder().encode(value)


def from_wire(wire: Any) -> Any:
    """Give the value of a JSON form. The worker has checked it, so it holds no surprises."""
    if isinstance(wire, list):
        return [from_wire(item) for item in wire]
    if not isinstance(wire, dict):
        return wire
    if "$" in wire:
        kind, *data = wire["$"]
        if kind == "b":
            return base64.b64decode(data[0])
        if kind == "f":
            return struct.unpack("<d", struct.pack("<ii", *data))[0]
        return Date(int(data[0]))
    return {
        key[1:] if key[:1] == "$" and _ONLY_DOLLARS.match(key) else key: from_wire(item)
        for key, item in wire.items()
    }


# Characters beyond U+FFFF, whose halves stand as U+E000 to U+E7FF in the engine; see
# prelude/08-text.js for the reason.
_BEYOND = re.compile("[\U00010000-\U0010ffff]")
_SHIFTED_PAIR = re.compile("[\ue000-\ue3ff][\ue400-\ue7ff]")


def _split(found: re.Match[str]) -> str:
    point = ord(found[0]) - 0x10000
    return chr(0xE000 + (point >> 10)) + chr(0xE400 + (point & 0x3FF))


def _join(found: re.Match[str]) -> str:
    high, low = map(ord, found[0])
    return chr(0x10000 + ((high - 0xE000) << 10) + low - 0xE400)


def encode_code(code: str) -> bytes:
    """Encode a message with compiled code, which is in the engine's characters already."""
    return json.dumps({"t": "load", "code": code}).encode()


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def encode_message(message: Any) -> bytes:
    """Encode a message whose values are in their JSON form."""
    text = _ENCODER.encode(message)
    return (text if text.isascii() else _BEYOND.sub(_split, text)).encode()


class Message(dict[str, Any]):
    """A decoded message; ``value`` gives the values in it."""

    has_tags: bool = False

    def value(self, wire: Any) -> Any:
        """The value of a JSON form that is part of this message."""
        return from_wire(wire) if self.has_tags else wire


def decode_message(data: bytes) -> Message:
    """Decode a worker's message.

    Raises:
      WorkerFault: it is no JSON object.
    """
    try:
        text = data.decode()
        if not text.isascii():
            text = _SHIFTED_PAIR.sub(_join, text)
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WorkerFault(f"the worker sent no JSON: {error}") from error
    if not isinstance(content, dict):
        raise WorkerFault("the worker sent no message")
    message = Message(content)
    message.has_tags = b'"$' in data
    return message
