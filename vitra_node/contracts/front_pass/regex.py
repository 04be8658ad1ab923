"""Regular expressions: what of them the engine has, and what it can be given instead.

The engine knows patterns of ES5. Names of groups become numbers, dots that match newlines become
classes; flags, source and names are told to the runtime beside the pattern
(``prelude/38-patterns.js``, which reads patterns made at run time by the same rules). Patterns with
the flag ``u`` are lowered by the second stage; what that would take and the standard does not is
found here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from tree_sitter import Node

from .emitter import Emitter, Rule
from .syntax import Source

_BEYOND = re.compile("[\U00010000-\U0010ffff]")
_NOT_AVAILABLE = {"d": "match indices", "v": "set notation"}
# A reference by name, an escape, a class, the opening of a group, or one character.
_TOKEN = re.compile(
    r"\\k<(?P<reference>[^>]*)>|(?P<escape>\\(?:u\{[^}]*\}|.))|(?P<class>\[(?:\\.|[^\]\\])*\])"
    r"|(?P<group>\((?:\?(?:<(?![=!])(?P<name>[^>]*)>|<?.))?)|(?P<quantifier>\{\d+(?:,\d*)?\})|.",
    re.DOTALL,
)
_NAME = re.compile(r"[A-Za-z_$][\w$]*", re.ASCII)
# What may be escaped where every escape has a meaning.
_STRICT_ESCAPE = re.compile(
    r"\\(?:[\^$\\.*+?()\[\]{}|/bBdDsSwWfnrtv0]|c[A-Za-z]|x[0-9a-fA-F]{2}"
    r"|u(?:[0-9a-fA-F]{4}|\{0*(?:10|[0-9a-fA-F])?[0-9a-fA-F]{1,4}\}))"
)


@dataclass
class _Pattern:
    """A pattern as it was read."""

    text: str = ""
    # Name, number, name, number.
    names: list[str | int] = field(default_factory=list)
    groups: int = 0


class _Fault(Exception):
    """The pattern is wrong, or not available."""


def regex(emitter: Emitter, node: Node) -> None:
    """A regular expression, with what the runtime must know of it."""
    pattern_node = node.child_by_field_name("pattern")
    flags_node = node.child_by_field_name("flags")
    assert pattern_node is not None
    source = emitter.source.text(pattern_node)
    flags = "" if flags_node is None else emitter.source.text(flags_node)
    pattern = _checked(emitter.source, node, source, flags)
    if not pattern.names and not set(flags) & set("suy"):
        emitter.children(node)
        return
    text = pattern.text
    if "u" in flags:
        # The second stage takes the flag away; it must see characters, not halves.
        text = _BEYOND.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", text)
    kept = "".join(flag for flag in flags if flag not in "sy")
    told = ",".join(json.dumps(part, ensure_ascii=False) for part in (source, flags, pattern.names))
    emitter.text(f"__vitra_x(/{text}/{kept},{told})")


def _checked(source: Source, node: Node, pattern: str, flags: str) -> _Pattern:
    for flag in flags:
        if flag in _NOT_AVAILABLE:
            raise source.refusal(
                f"the regular expression flag {flag} ({_NOT_AVAILABLE[flag]}) is not available",
                node,
            )
        if flag not in "gimsuy" or flags.count(flag) > 1:
            raise source.refusal(f"invalid regular expression flags {flags}", node)
    try:
        return _read(pattern, flags)
    except _Fault as fault:
        raise source.refusal(f"{fault} in regular expressions", node) from None


def _read(pattern: str, flags: str) -> _Pattern:
    found = _Pattern()
    tokens = list(_TOKEN.finditer(pattern))
    for token in tokens:
        _count(found, token)
    before = ""
    for token in tokens:
        if "u" in flags:
            _check_strictly(token, before, found.groups)
        found.text += _written(found, token, "s" in flags)
        before = token[0]
    if "u" in flags:
        _check_assertions(tokens)
    return found


def _count(found: _Pattern, token: re.Match[str]) -> None:
    """Groups and their names."""
    if token["group"] is None:
        return
    if token["group"] in ("(?<=", "(?<!"):
        raise _Fault("lookbehind is not available")
    if token["name"] is None:
        if token["group"] == "(":
            found.groups += 1
        elif token["group"] not in ("(?:", "(?=", "(?!"):
            raise _Fault(f"{token['group']} is not available")
        return
    if not _NAME.fullmatch(token["name"]):
        raise _Fault(f"the group name {token['name']!r} is not available")
    if token["name"] in found.names:
        raise _Fault(f"two groups of the name {token['name']} are not available")
    found.groups += 1
    found.names += [token["name"], found.groups]


def _written(found: _Pattern, token: re.Match[str], is_dot_all: bool) -> str:
    if token["reference"] is not None:
        if token["reference"] not in found.names:
            raise _Fault(f"a reference to no group, \\k<{token['reference']}>, is not available")
        number = found.names[found.names.index(token["reference"]) + 1]
        # Digits may follow.
        return f"(?:\\{number})"
    if token["name"] is not None:
        return "("
    if token["escape"] in ("\\p", "\\P", "\\k"):
        raise _Fault(f"{token['escape']} is not available")
    if token["class"] is not None and re.search(r"\\[pP]", token["class"]):
        raise _Fault("\\p is not available")
    return "[^]" if token[0] == "." and is_dot_all else token[0]


def _check_strictly(token: re.Match[str], before: str, groups: int) -> None:
    """What patterns with the flag ``u`` may not hold."""
    if token["class"] is not None:
        _check_class(token["class"])
    elif token["escape"] is not None:
        rest = token.string[token.start() :]
        reference = re.match(r"\\([1-9]\d*)", rest)
        if reference is not None:
            if int(reference[1]) > groups:
                raise _Fault("a reference to no group is an error with the flag u")
        elif not _STRICT_ESCAPE.match(rest) or re.match(r"\\0\d", rest):
            raise _Fault(f"the escape {token[0]} is an error with the flag u")
    elif token[0] in ("{", "}", "]"):
        raise _Fault(f"a lone {token[0]} is an error with the flag u")
    elif token["quantifier"] is not None and before in ("", "(", "|", "(?:", "(?=", "(?!"):
        raise _Fault("a quantifier of nothing is an error")


def _check_class(text: str) -> None:
    inner = text[1:-1].removeprefix("^")
    for found in re.finditer(r"\\(?:u\{[^}]*\}|.)", inner, re.DOTALL):
        rest = inner[found.start() :]
        if found[0] == "\\-":
            continue
        if not _STRICT_ESCAPE.match(rest) or re.match(r"\\(?:B|0\d)", rest):
            raise _Fault(f"the escape {found[0]} is an error with the flag u")
    if re.search(r"\\[dDsSwW]-(?!$)|(?<!^)(?<!\\)-\\[dDsSwW]", inner):
        raise _Fault("a range of a class is an error with the flag u")


def _check_assertions(tokens: list[re.Match[str]]) -> None:
    """``(?=a)*`` is an error with the flag ``u``."""
    opened: list[str] = []
    closed = ""
    for token in tokens:
        if closed in ("(?=", "(?!") and (token[0] in ("*", "+", "?") or token["quantifier"]):
            raise _Fault("a quantifier of an assertion is an error with the flag u")
        closed = ""
        if token["group"] is not None:
            opened.append(token["group"])
        elif token[0] == ")" and opened:
            closed = opened.pop()


RULES: dict[str, Rule] = {"regex": regex}
