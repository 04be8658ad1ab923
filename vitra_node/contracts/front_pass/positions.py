"""From lines of compiled code back to the source, by the second stage's source map.

A source map (revision 3) is text: ``;`` ends a line of the compiled code, ``,`` a segment, and a
segment is numbers in base 64 of variable length, each the difference to the one before: column
here, number of the source, line there, column there. The engine tells lines only, and the second
stage writes one statement a line.
"""

from __future__ import annotations

_DIGITS = {
    character: value
    for value, character in enumerate(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    )
}


def segments_of_lines(mappings: str) -> list[list[tuple[int, int]]]:
    """For each compiled line the places it stems from: line (from 1) and column (from 0)."""
    found: list[list[tuple[int, int]]] = []
    line = column = 0
    for compiled in mappings.split(";"):
        places: list[tuple[int, int]] = []
        for segment in filter(None, compiled.split(",")):
            numbers = _numbers(segment)
            if len(numbers) >= 4:
                line += numbers[2]
                column += numbers[3]
                places.append((line + 1, column))
        found.append(places)
    return found


def _numbers(segment: str) -> list[int]:
    numbers: list[int] = []
    value = shift = 0
    for character in segment:
        digit = _DIGITS[character]
        value |= (digit & 31) << shift
        shift += 5
        if not digit & 32:
            numbers.append(-(value >> 1) if value & 1 else value >> 1)
            value = shift = 0
    return numbers
