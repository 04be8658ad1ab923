"""Numbers and regular expressions."""

from __future__ import annotations

import re

from tree_sitter import Node

from .emitter import Emitter, Rule
from .output import halves

_BEYOND = re.compile("[\U00010000-\U0010ffff]")


def number(emitter: Emitter, node: Node) -> None:
    """A number without its separators."""
    text = emitter.source.text(node)
    if text.endswith("n") and not text.startswith(("0x", "0X")):
        raise emitter.source.refusal("BigInt is not available in contracts", node)
    if text.startswith(("0x", "0X")) and text.endswith("n"):
        raise emitter.source.refusal("BigInt is not available in contracts", node)
    if "_" in text:
        emitter.text(text.replace("_", ""))
    else:
        emitter.children(node)


# Flags the engine has not; `s` and `u` are rewritten, here and by the second stage.
_REFUSED_FLAGS = {
    "y": "sticky",
    "d": "match indices",
    "v": "set notation",
}


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


def regex(emitter: Emitter, node: Node) -> None:
    """A regular expression of features that the engine has."""
    pattern_node = node.child_by_field_name("pattern")
    flags_node = node.child_by_field_name("flags")
    assert pattern_node is not None
    pattern = emitter.source.text(pattern_node)
    flags = "" if flags_node is None else emitter.source.text(flags_node)
    for flag in flags:
        if flag in _REFUSED_FLAGS:
            raise emitter.source.refusal(
                f"the regular expression flag {flag} ({_REFUSED_FLAGS[flag]}) is not available",
                node,
            )
    rewritten = _pattern(emitter, node, pattern, "s" in flags)
    if "u" in flags:
        # The second stage takes the flag away; it must see characters, not halves.
        rewritten = _BEYOND.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", rewritten)
    if rewritten == pattern and "s" not in flags:
        emitter.children(node)
    else:
        emitter.text(f"/{rewritten}/{flags.replace('s', '')}")


def _pattern(emitter: Emitter, node: Node, pattern: str, dot_all: bool) -> str:
    """Check a pattern; with ``dot_all`` dots match newlines too."""
    out: list[str] = []
    in_class = False
    at = 0
    while at < len(pattern):
        rest = pattern[at:]
        if rest[0] == "\\":
            if rest[1:3] in ("p{", "P{", "k<"):
                raise emitter.source.refusal(
                    f"\\{rest[1:3]}…}} in regular expressions is not available".replace(
                        "<…}", "<…>"
                    ),
                    node,
                )
            out.append(rest[:2])
            at += 2
            continue
        if rest[0] == "[":
            in_class = True
        elif rest[0] == "]":
            in_class = False
        elif not in_class and rest.startswith(("(?<=", "(?<!")):
            raise emitter.source.refusal("lookbehind in regular expressions is not available", node)
        elif not in_class and rest.startswith("(?<"):
            raise emitter.source.refusal(
                "named groups in regular expressions are not available", node
            )
        out.append("[^]" if rest[0] == "." and dot_all and not in_class else rest[0])
        at += 1
    return "".join(out)


RULES: dict[str, Rule] = {"number": number, "regex": regex, "escape_sequence": escape}
