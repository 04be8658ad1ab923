"""Values: canonical MessagePack out, everything that msgpackr 1.5 writes in.

A value is what JSON can hold, plus bytes: null, booleans, numbers, text, bytes, arrays, and maps
with text keys. Numbers follow JavaScript, which has one kind: 3 and 3.0 are the same value and the
same bytes. Maps keep the order of their keys, which contracts can see (``Object.keys``).
Databases of the original also hold dates, NaN, infinities and undefined: these are read, not
written (dates are).

The canonical form: the shortest form of each type; integers up to 2^53 as integers and all other
numbers as float64; -0 as 0. See specs/01b-values-and-paths.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, Final, TypeAlias

import msgpack

from ..errors import DecodeError, LocalProtocolError
from ..limits import MAX_BLOCK_BYTES, MAX_VALUE_BYTES, MAX_VALUE_DEPTH, MAX_VALUE_ITEMS

# Up to here every integer has its own float64.
_MAX_EXACT: Final = 2**53

# A JavaScript Date reaches this many milliseconds to both sides of 1970.
_MAX_DATE_MS: Final = 8_640_000_000_000_000

# msgpackr's extension for undefined; its one byte of data means nothing.
_UNDEFINED_EXTENSION: Final = 0

# The C decoder allocates an array when it reads its count. Below this many (possible array
# headers x bytes of data) even lies about every count cost less than 32 MiB.
_FREE_ARRAY_CLAIMS: Final = 4 * 1024 * 1024


class Undefined(Enum):
    """The type of ``UNDEFINED``."""

    UNDEFINED = "undefined"

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "UNDEFINED"


UNDEFINED: Final = Undefined.UNDEFINED
"""JavaScript's undefined, as the original stored it."""


@dataclass(frozen=True, slots=True)
class Date:
    """A JavaScript Date: milliseconds since 1970, UTC."""

    milliseconds: int


Value: TypeAlias = (
    "bool | int | float | str | bytes | list[Value] | dict[str, Value] | Date | Undefined | None"
)


def pack(value: object) -> bytes:
    """Encode a value canonically: the same value always gives the same bytes.

    An undefined property is left out, an undefined item or value becomes null, as in JSON. Tuples
    pack as arrays.

    Raises:
      LocalProtocolError: not a value: NaN, infinity, a map key that is not text, a lone
        surrogate, an integer that no float64 stands for, deeper than ``MAX_VALUE_DEPTH``, with
        more than ``MAX_VALUE_ITEMS``, longer than ``MAX_VALUE_BYTES``, or of a type that is none of
        ``Value``.
    """
    try:
        data: bytes = msgpack.packb(_for_packer(value, MAX_VALUE_DEPTH))
    except UnicodeEncodeError:
        raise LocalProtocolError("a text has half a character (a lone surrogate) in it") from None
    if len(data) > MAX_VALUE_BYTES:
        raise LocalProtocolError(f"a value has at most {MAX_VALUE_BYTES} bytes")
    if len(data) > MAX_VALUE_ITEMS:
        try:
            _check_counts(data)
        except DecodeError as error:
            raise LocalProtocolError(str(error)) from None
    return data


def unpack_untrusted(data: bytes) -> Value:
    """Decode one value that fills ``data``.

    Accepts every form msgpackr writes, longer forms than needed too. Integral floats come out as
    ``int``, integers beyond 2^53 as ``float``, undefined as ``UNDEFINED``. Of repeated map keys
    the last counts; integer keys turn into text, as they do in JavaScript.

    Raises:
      DecodeError: truncated, bytes left over, text that is not UTF-8, an unknown extension, a map
        key that is neither text nor integer, deeper than ``MAX_VALUE_DEPTH``, with more than
        ``MAX_VALUE_ITEMS``, or longer than ``MAX_BLOCK_BYTES``.
    """
    if len(data) > MAX_BLOCK_BYTES:
        raise DecodeError(f"a value of {len(data)} bytes is over its limit of {MAX_BLOCK_BYTES}")
    if len(data) > MAX_VALUE_ITEMS or _array_claims(data) > _FREE_ARRAY_CLAIMS:
        _check_counts(data)
    try:
        raw = msgpack.unpackb(
            data, ext_hook=_extension, object_pairs_hook=_Pairs, strict_map_key=False
        )
    except DecodeError:
        raise
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        raise DecodeError(f"not MessagePack: {error or type(error).__name__}") from error
    return _from_decoder(raw, MAX_VALUE_DEPTH)


def same_value(a: Value, b: Value) -> bool:
    """Whether a contract would call two values deeply equal.

    1 is 1.0 and -0 is 0; True is not 1; bytes are not text; NaN is NaN. An undefined property is
    no property, any other undefined is null. The order of map keys does not count.
    """
    if a is UNDEFINED:
        a = None
    if b is UNDEFINED:
        b = None
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, int | float) and isinstance(b, int | float):
        return a == b or (a != a and b != b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same_value, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        left = {key: value for key, value in a.items() if value is not UNDEFINED}
        right = {key: value for key, value in b.items() if value is not UNDEFINED}
        return left.keys() == right.keys() and all(
            same_value(value, right[key]) for key, value in left.items()
        )
    return type(a) is type(b) and a == b


# Types that the packer writes canonically by itself; asked here to save most calls.
_PACKED_AS_IS: Final = frozenset((str, bytes, bool, type(None)))


def _for_packer(value: object, depth: int) -> object:
    """Turn a value into what the packer writes canonically."""
    kind = type(value)
    if kind in _PACKED_AS_IS:
        return value
    if kind is int or kind is float:
        return _number(value)  # type: ignore[arg-type]  # narrowed by identity of the type
    if isinstance(value, dict | list | tuple):
        if depth == 0:
            raise LocalProtocolError(f"a value is at most {MAX_VALUE_DEPTH} levels deep")
        if not isinstance(value, dict):
            return [_for_packer(item, depth - 1) for item in value]
        for key in value:
            if not isinstance(key, str):
                raise LocalProtocolError(f"the keys of a map are text, not {type(key).__name__}")
        return {
            str(key): item if type(item) in _PACKED_AS_IS else _for_packer(item, depth - 1)
            for key, item in value.items()
            if item is not UNDEFINED
        }
    return _rare_for_packer(value)


def _rare_for_packer(value: object) -> object:
    if value is UNDEFINED:
        return None
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, Date):
        seconds, milliseconds = divmod(value.milliseconds, 1000)
        return msgpack.Timestamp(seconds, milliseconds * 1_000_000)
    # Subclasses: enumerations of text and numbers.
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return _number(int(value))
    if isinstance(value, float):
        return _number(float(value))
    raise LocalProtocolError(f"{type(value).__name__} is not a value")


def _number(value: int | float) -> int | float:
    if isinstance(value, int):
        if -_MAX_EXACT <= value <= _MAX_EXACT:
            return value
        return _large(value)
    if not math.isfinite(value):
        raise LocalProtocolError("NaN and infinity are not values")
    if value.is_integer() and -_MAX_EXACT <= value <= _MAX_EXACT:
        return int(value)
    return value


def _large(value: int) -> float:
    """Give the float64 that a large integer stands for, be it exact or as JavaScript prints it.

    JavaScript prints 2^60 as 1152921504606847000, the shortest digits that lead back to it.
    """
    try:
        nearest = float(value)
    except OverflowError:
        raise LocalProtocolError("an integer is too large to be a number") from None
    if int(nearest) != value and int(Decimal(repr(nearest))) != value:
        raise LocalProtocolError(f"{value} cannot be kept exactly: no float64 has this value")
    return nearest


def _array_claims(data: bytes) -> int:
    """Bound the items that arrays in ``data`` claim: each at most as many as there are bytes."""
    return (data.count(0xDC) + data.count(0xDD)) * len(data)


class _Pairs(list[tuple[Any, Any]]):
    """A decoded map, still as the list of its pairs."""


def _extension(code: int, data: bytes) -> Undefined:
    if code == _UNDEFINED_EXTENSION:
        return UNDEFINED
    raise DecodeError(f"MessagePack extension {code} is not known")


# Types of what the decoder gives that are values already.
_AS_IS: Final = frozenset((str, bytes, bool, type(None), Undefined))


def _from_decoder(raw: object, depth: int) -> Value:
    """Turn what the decoder gave into a value."""
    if type(raw) in _AS_IS:
        return raw  # type: ignore[return-value]  # narrowed by identity of the type
    if isinstance(raw, int):
        return raw if -_MAX_EXACT <= raw <= _MAX_EXACT else float(raw)
    if isinstance(raw, float):
        if raw.is_integer() and -_MAX_EXACT <= raw <= _MAX_EXACT:
            return int(raw)
        return raw
    if isinstance(raw, msgpack.Timestamp):
        milliseconds = raw.seconds * 1000 + raw.nanoseconds // 1_000_000
        if abs(milliseconds) > _MAX_DATE_MS:
            raise DecodeError("a date is out of JavaScript's range")
        return Date(milliseconds)
    if depth == 0:
        raise DecodeError(f"a value is deeper than {MAX_VALUE_DEPTH} levels")
    if isinstance(raw, _Pairs):
        return {
            key if type(key) is str else _map_key(key): (
                item if type(item) in _AS_IS else _from_decoder(item, depth - 1)
            )
            for key, item in raw
        }
    assert isinstance(raw, list), "the decoder makes nothing else"
    return [_from_decoder(item, depth - 1) for item in raw]


def _map_key(key: object) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, int) and not isinstance(key, bool):
        return str(key)
    raise DecodeError("a map key is neither text nor an integer")


# Sizes of the forms that have no count: the byte itself and its fixed payload.
_FIXED_BYTES: Final = {
    0xC0: 1, 0xC2: 1, 0xC3: 1, 0xCA: 5, 0xCB: 9, 0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9,
    0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9, 0xD4: 3, 0xD5: 4, 0xD6: 6, 0xD7: 10, 0xD8: 18,
}  # fmt: skip
# Bytes of the length, and bytes between it and the payload.
_SIZED: Final = {
    0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0), 0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1),
    0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0),
}  # fmt: skip
# Bytes of the count, and values per item.
_COUNTED: Final = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


def _check_counts(data: bytes) -> None:
    """Walk over the values without making them: every counted item is there, and not too many.

    After this the decoder cannot allocate more than a few times the size of the data.

    Raises:
      DecodeError: an item is missing, or has an unknown form; there are more than
        ``MAX_VALUE_ITEMS``.
    """
    at = 0
    walked = 0
    missing = 1
    while missing:
        if walked + missing > MAX_VALUE_ITEMS + 1:
            raise DecodeError(f"a value has more than {MAX_VALUE_ITEMS} items in all")
        if at >= len(data):
            raise DecodeError("a value ends before all counted items came")
        form = data[at]
        missing -= 1
        walked += 1
        if form <= 0x7F or form >= 0xE0:
            at += 1
        elif form <= 0x8F:
            missing += 2 * (form & 0x0F)
            at += 1
        elif form <= 0x9F:
            missing += form & 0x0F
            at += 1
        elif form <= 0xBF:
            at += 1 + (form & 0x1F)
        elif form in _FIXED_BYTES:
            at += _FIXED_BYTES[form]
        elif form in _SIZED:
            width, gap = _SIZED[form]
            size = int.from_bytes(data[at + 1 : at + 1 + width], "big")
            at += 1 + width + gap + size
        elif form in _COUNTED:
            width, each = _COUNTED[form]
            missing += each * int.from_bytes(data[at + 1 : at + 1 + width], "big")
            at += 1 + width
        else:
            raise DecodeError("a MessagePack byte of no known form")
