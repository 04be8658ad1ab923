"""Operations: the blocks of an oplog as the contract gets them.

Executor and monitor share this, because a participant may write any bytes into its oplog.
"""

from __future__ import annotations

import math
from typing import Any, Final, TypeAlias

from ..encoding.msgpack import UNDEFINED, Date, Value, unpack_untrusted
from ..errors import DecodeError, RecordError

UNREADABLE_OPERATION: Final = "Error: the operation is not a value"
"""The error with which an operation fails that ``decode_operation_untrusted`` refuses.

The contract does not run for it, its ack's metadata is null, and it changes nothing.
"""


Plain: TypeAlias = "bool | int | float | str | bytes | list[Any] | dict[str, Any] | None"
"""What a contract can be given: JSON's values and bytes. ``Any`` stands for the nesting."""

# Types that are plain already; asked first, because most of what operations hold is of them.
_PLAIN_AS_IS: Final = frozenset((str, bytes, bool, int, type(None)))


def decode_operation_untrusted(block: bytes) -> Plain:
    """Decode an operation into what JSON can hold, plus bytes.

    Undefined properties are left out, undefined items become null.

    Raises:
      RecordError: not MessagePack, or with NaN, an infinity or a date in it, none of which a
        contract can be given.
    """
    try:
        value = unpack_untrusted(block)
    except DecodeError as error:
        raise RecordError(f"an operation is not a value: {error}") from error
    return plain_value_untrusted(value)


def plain_value_untrusted(value: Value) -> Plain:
    """Reduce a decoded value to what a contract can be given.

    Raises:
      RecordError: it holds NaN, an infinity or a date.
    """
    if type(value) in _PLAIN_AS_IS:
        return value  # type: ignore[return-value]  # narrowed by identity of the type
    if value is UNDEFINED:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        raise RecordError("a value holds NaN or an infinity")
    if isinstance(value, Date):
        raise RecordError("a value holds a date")
    if isinstance(value, list):
        return [plain_value_untrusted(item) for item in value]
    if isinstance(value, dict):
        return {
            key: plain_value_untrusted(item) for key, item in value.items() if item is not UNDEFINED
        }
    return value
