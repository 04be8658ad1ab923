"""Keys as people write them: 64 hex digits, or 52 letters of z-base-32.

The z-base-32 form is that of npm ``z32`` and ``hypercore-id-encoding``: 5 bits a letter, most
significant bit first, the last 4 bits of 52 letters are zero.
"""

from __future__ import annotations

from .errors import UsageProblem

KEY_BYTES = 32

_ALPHABET = "ybndrfg8ejkmcpqxot1uwisza345h769"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
_Z32_LETTERS = 52
_PADDING_BITS = _Z32_LETTERS * 5 - KEY_BYTES * 8


def parse_key(text: str) -> bytes:
    """The 32 bytes of a key given as hex or z-base-32; raises UsageProblem when it is neither."""
    cleaned = text.strip().lower()
    if len(cleaned) == KEY_BYTES * 2:
        try:
            return bytes.fromhex(cleaned)
        except ValueError:
            pass
    elif len(cleaned) == _Z32_LETTERS:
        key = _from_z32(cleaned)
        if key is not None:
            return key
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    raise UsageProblem(
        f"{shown!r} is not a key.",
        unchanged="Nothing was changed.",
        advice="A key has 64 hex digits, or 52 letters of z-base-32.",
    )


def as_key(key: bytes | str) -> bytes:
    """The 32 bytes of a key given as bytes or as text; raises UsageProblem when it is none."""
    if isinstance(key, str):
        return parse_key(key)
    if len(key) != KEY_BYTES:
        raise UsageProblem(
            f"A key has {KEY_BYTES} bytes, not {len(key)}.", unchanged="Nothing was changed."
        )
    return key


def format_z32(key: bytes) -> str:
    """A 32-byte key as 52 letters of z-base-32."""
    number = int.from_bytes(key, "big") << _PADDING_BITS
    return "".join(_ALPHABET[number >> (5 * place) & 31] for place in reversed(range(_Z32_LETTERS)))


def _from_z32(text: str) -> bytes | None:
    number = 0
    for letter in text:
        value = _VALUES.get(letter)
        if value is None:
            return None
        number = number << 5 | value
    if number & ((1 << _PADDING_BITS) - 1):
        return None
    return (number >> _PADDING_BITS).to_bytes(KEY_BYTES, "big")
