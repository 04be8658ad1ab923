"""Private names (``#x``): which class each belongs to, and how they are read and written.

``a.#x`` is written as ``__vitra_p.get(a,key,"#x")``. The key is made anew whenever the class is
evaluated (``classes``); objects carry what is private under keys (prelude/66-private.js).
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from tree_sitter import Node

from .emitter import Emitter
from .output import Part
from .syntax import Source, items, walk

CLASSES = frozenset({"class", "class_declaration"})
# Operators that may stand beside ``#x in a``.
_LOOSER = frozenset(["&&", "||", "??", "==", "!=", "===", "!==", "&", "^", "|"])
_PRIVATE = "private_property_identifier"


@dataclass(frozen=True)
class Member:
    """What a class declares under a private name."""

    name: str
    # "field", "method", "get", "set", or "accessor" for a pair of those.
    kind: str
    is_static: bool


def declared(source: Source, node: Node) -> dict[str, Member]:
    """The private names that a class declares.

    Raises:
      Refusal: one is declared twice.
    """
    found: dict[str, Member] = {}
    for member in members_of(node):
        named = _private_name(member)
        if named is None:
            continue
        name = source.text(named)
        if name == "#constructor":
            raise source.refusal("a private name cannot be #constructor", named)
        tokens = {child.type for child in member.children if not child.is_named}
        kind = "field" if member.type == "field_definition" else "method"
        kind = next((token for token in ("get", "set") if token in tokens), kind)
        is_static = any(child.type == "static" for child in member.children)
        before = found.get(name)
        if before is not None:
            is_pair = {before.kind, kind} == {"get", "set"} and before.is_static == is_static
            if not is_pair:
                raise source.refusal(f"{name} is declared twice", named)
            kind = "accessor"
        found[name] = Member(name, kind, is_static)
    return found


def check(source: Source) -> None:
    """Refuse private names that no class around them declares, and where they cannot stand.

    Raises:
      Refusal: at the first one.
    """
    for node in walk(source.root):
        if node.type in CLASSES:
            declared(source, node)
        elif node.type == _PRIVATE:
            owner_of(source, node)
            _check_place(source, node)


def _check_place(source: Source, node: Node) -> None:
    parent = node.parent
    assert parent is not None
    if parent.type in ("method_definition", "field_definition"):
        return
    if parent.type == "binary_expression":
        outer = parent.parent
        if outer is not None and outer.type == "binary_expression":
            operator = outer.child_by_field_name("operator")
            if operator is None or operator.type not in _LOOSER:
                raise source.refusal("this check of a private name needs parentheses", node)
        return
    if any(child.type == "optional_chain" for child in parent.children):
        raise source.refusal("a private name behind ?. is not available in contracts", node)
    base = parent.child_by_field_name("object")
    if base is not None and base.type == "super":
        raise source.refusal("super has no private names", node)
    outer = parent.parent
    assert outer is not None
    if outer.type == "unary_expression" and source.text(outer).startswith("delete"):
        raise source.refusal("a private name cannot be deleted", node)
    is_tag = outer.type == "call_expression" and any(
        child.type == "template_string" for child in outer.children
    )
    is_default = outer.child_by_field_name("right") == parent
    is_target = (outer.type.endswith("_pattern") and not is_default) or (
        outer.type == "for_in_statement" and not is_default
    )
    if is_tag or is_target:
        what = "tag of a template" if is_tag else "target of a pattern or loop"
        raise source.refusal(f"a private name as {what} is not available in contracts", node)


def owner_of(source: Source, node: Node) -> tuple[Node, Member]:
    """The class that a private name belongs to, and what it is there."""
    name = source.text(node)
    inner, at = node, node.parent
    while at is not None:
        # What a class extends does not see its names yet.
        if at.type in CLASSES and inner.type != "class_heritage":
            members = declared(source, at)
            if name in members:
                return at, members[name]
        inner, at = at, at.parent
    raise source.refusal(f"no class around here declares {name}", node)


def members_of(node: Node) -> list[Node]:
    body = node.child_by_field_name("body")
    return [] if body is None else items(body)


def _private_name(member: Node) -> Node | None:
    name = member.child_by_field_name("name") or member.child_by_field_name("property")
    return name if name is not None and name.type == _PRIVATE else None


def key_of(node: Node) -> str:
    """The variable with a class's key."""
    return f"__vitra_k{node.start_byte}"


def is_private(node: Node | None) -> bool:
    """Whether it is ``a.#x``."""
    if node is None or node.type != "member_expression":
        return False
    name = node.child_by_field_name("property")
    return name is not None and name.type == _PRIVATE


def _access(emitter: Emitter, node: Node) -> tuple[Node, str]:
    """The object of ``a.#x``, and the arguments that say which name."""
    base, name = node.child_by_field_name("object"), node.child_by_field_name("property")
    assert base is not None
    assert name is not None
    owner, member = owner_of(emitter.source, name)
    return base, f"{key_of(owner)},{json.dumps(member.name)}"


def read(emitter: Emitter, node: Node) -> None:
    """``a.#x``."""
    base, name = _access(emitter, node)
    emitter.text("(__vitra_p.get(")
    emitter.visit(base)
    emitter.text(f",{name})" + _lines(emitter, base.end_byte, node.end_byte) + ")")


def _lines(emitter: Emitter, start: int, end: int) -> str:
    """The ends of lines in what is not copied."""
    return "\n" * emitter.source.data[start:end].count(b"\n")


def call(emitter: Emitter, node: Node) -> None:
    """``a.#m(…)``: the object is evaluated once, and is what the method sees as ``this``."""
    callee, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    assert callee is not None
    assert arguments is not None
    base, name = _access(emitter, callee)
    held, again = _held(emitter, base)
    emitter.text("__vitra_p.get(")
    emitter.parts.extend(held)
    emitter.text(f",{name}).call({again}" + _lines(emitter, base.end_byte, callee.end_byte))
    if arguments.named_child_count:
        emitter.text(",")
    at = arguments.children[0].end_byte
    for child in arguments.children[1:]:
        at = emitter.gap(at, child)
        emitter.visit(child)


def _held(emitter: Emitter, base: Node) -> tuple[list[Part], str]:
    """An object for its first use, and the text of the later ones."""
    if base.type in ("this", "identifier"):
        with emitter.buffer() as parts:
            emitter.visit(base)
        return parts, emitter.source.text(base)
    name = emitter.temporary()
    with emitter.buffer() as parts:
        emitter.text(f"{name}=")
        emitter.visit(base)
    return parts, name


def assignment(emitter: Emitter, node: Node) -> None:
    """``a.#x = v``, ``a.#x += v``, ``a.#x ??= v``."""
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    operator = node.child_by_field_name("operator")
    assert left is not None
    assert right is not None
    base, name = _access(emitter, left)
    sign = "" if operator is None else emitter.source.text(operator)[:-1]
    held, again = _held(emitter, base) if sign else (emitter.rendered(base), "")
    value = emitter.rendered(right)
    space = _lines(emitter, left.end_byte, right.start_byte)
    if sign in _LOGICAL:
        emitter.text("(")
        _logical(emitter, sign, held, name)
        emitter.text(f"__vitra_p.set({again},{name},")
    else:
        emitter.text("(__vitra_p.set(")
        emitter.parts.extend(held)
        emitter.text(f",{name},")
        if sign:
            emitter.text(f"__vitra_p.get({again},{name}){sign}")
    emitter.text(f"({space}")
    emitter.parts.extend(value)
    emitter.text(")))")


_LOGICAL = ("??", "||", "&&")


def _logical(emitter: Emitter, sign: str, held: list[Part], name: str) -> None:
    """The value so far, and what decides whether to assign."""
    kept = emitter.temporary() if sign == "??" else ""
    emitter.text(f"({kept}=__vitra_p.get(" if kept else "__vitra_p.get(")
    emitter.parts.extend(held)
    emitter.text(f",{name}))!=null?{kept}:" if kept else f",{name}){sign}")


def update(emitter: Emitter, node: Node) -> None:
    """``a.#x++`` and its like."""
    target = node.child_by_field_name("argument")
    assert target is not None
    base, name = _access(emitter, target)
    text = emitter.source.text(node)
    step = 1 if "++" in (text[:2], text[-2:]) else -1
    is_prefix = text.startswith(("++", "--"))
    emitter.text("(__vitra_p.step(")
    emitter.visit(base)
    emitter.text(f",{name},{step},{json.dumps(is_prefix)}))")


def has(emitter: Emitter, node: Node) -> None:
    """``#x in a``."""
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    assert left is not None
    assert right is not None
    owner, member = owner_of(emitter.source, left)
    emitter.text("(__vitra_p.has(" + _lines(emitter, left.end_byte, right.start_byte))
    emitter.visit(right)
    emitter.text(f",{key_of(owner)},{json.dumps(member.name)}))")
