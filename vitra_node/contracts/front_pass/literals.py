"""Numbers and the escapes of texts."""

from __future__ import annotations

import re

from tree_sitter import Node

from .emitter import Emitter, Rule
from .output import halves

# The engine does not read exponents beyond 1e7, see prelude/46-decimals.js.
_LARGE_EXPONENT = re.compile("^([0-9.]+[eE][+-]?)0*[1-9][0-9]{7,}")


def number(emitter: Emitter, node: Node) -> None:
    """A number without its separators, with an exponent that the engine reads."""
    text = emitter.source.text(node)
    if text.endswith("n") and not text.startswith(("0x", "0X")):
        raise emitter.source.refusal("BigInt is not available in contracts", node)
    if text.startswith(("0x", "0X")) and text.endswith("n"):
        raise emitter.source.refusal("BigInt is not available in contracts", node)
    plain = _LARGE_EXPONENT.sub(r"\g<1>9999999", text.replace("_", ""))
    if plain != text:
        emitter.text(plain)
    else:
        emitter.children(node)


def escape(emitter: Emitter, node: Node) -> None:
    """An escape in a text or template; those of halves name the engine's units."""
    text = emitter.source.text(node)
    if text[1:2] != "u":
        emitter.children(node)
        return
    point = int(text[2:].strip("{}"), 16)
    if 0xE000 <= point <= 0xE7FF:
        raise emitter.source.refusal(
            "the characters U+E000 to U+E7FF are not available in contracts", node
        )
    if point > 0xFFFF:
        units: tuple[int, ...] = halves(point)
    elif 0xD800 <= point <= 0xDFFF:
        units = (point + 0x800,)
    else:
        emitter.children(node)
        return
    template = node.parent
    if template is not None and template.type == "template_string":
        tagged = template.parent
        if tagged is not None and tagged.type == "call_expression":
            raise emitter.source.refusal(
                "escapes of characters beyond U+FFFF in tagged templates are not available", node
            )
    emitter.text("".join(f"\\u{unit:04x}" for unit in units))


RULES: dict[str, Rule] = {"number": number, "escape_sequence": escape}
