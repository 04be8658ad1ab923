"""Writes the checks that ``scopes`` found necessary, and object literals as Duktape needs them."""

from __future__ import annotations

from tree_sitter import Node

from . import classes
from .emitter import Emitter, Rule
from .syntax import items

_WRITES = frozenset(
    {"assignment_expression", "augmented_assignment_expression", "update_expression"}
)


def use(emitter: Emitter, node: Node) -> None:
    """A name; with a flag it is ``(flag||throw,name)``."""
    flag = emitter.checks.uses.get(node.start_byte)
    if flag is None:
        emitter.children(node)
        return
    name = emitter.source.text(node)
    test = f"{flag}||__vitra_d('{name}')"
    parent = node.parent
    if node.type == "shorthand_property_identifier":
        emitter.text(f"{name}:({test},{name})")
    elif parent is not None and parent.type in _WRITES and _is_target(parent, node):
        # The whole assignment was given the test.
        emitter.children(node)
    elif _is_in_pattern(node):
        raise emitter.source.refusal(f"{name} may be used before its declaration", node)
    else:
        emitter.text(f"({test},{name})")


def write(emitter: Emitter, node: Node, rule: Rule) -> None:
    """An assignment; the test of its target goes before it."""
    target = node.child_by_field_name("left") or node.child_by_field_name("argument")
    flag = None
    if target is not None and target.type == "identifier":
        flag = emitter.checks.uses.get(target.start_byte)
    if flag is None or target is None:
        rule(emitter, node)
        return
    emitter.text(f"({flag}||__vitra_d('{emitter.source.text(target)}'),")
    rule(emitter, node)
    emitter.text(")")


def _is_target(parent: Node, node: Node) -> bool:
    return any(parent.child_by_field_name(side) == node for side in ("left", "argument"))


def _is_in_pattern(node: Node) -> bool:
    """Whether a pattern assigns to it; defaults and keys in patterns only read."""
    inner, at = node, node.parent
    while at is not None and not at.type.endswith(("expression", "statement", "declaration")):
        if at.type == "computed_property_name" or at.child_by_field_name("right") == inner:
            return False
        if at.type in ("array_pattern", "object_pattern"):
            return True
        inner, at = at, at.parent
    return False


def declarator(emitter: Emitter, node: Node) -> None:
    """``let a = 1`` or, with a flag, ``let a = 1,flag=1``."""
    _kept_apart(emitter, node, _rest_value(node, node.child_by_field_name("name")))
    flag = emitter.checks.declarations.get(node.start_byte)
    if flag is None:
        return
    statement = node.parent
    assert statement is not None
    if statement.parent is not None and statement.parent.type == "export_statement":
        if len(items(statement)) > 1:
            raise emitter.source.refusal("export these variables one by one", node)
        # Set behind the export statement: it is no export itself.
        emitter.flags_due.append(flag)
    else:
        emitter.text(f",{flag}=1")


def class_expression(emitter: Emitter, node: Node) -> None:
    """A class of any kind."""
    classes.class_expression(emitter, node, Emitter.children)


def class_declaration(emitter: Emitter, node: Node) -> None:
    """A class, with its flag set behind it."""
    class_expression(emitter, node)
    flag = emitter.checks.declarations.get(node.start_byte)
    if flag is None:
        return
    if node.parent is not None and node.parent.type == "export_statement":
        emitter.flags_due.append(flag)
    else:
        emitter.text(f";const {flag}=1;")


def export_statement(emitter: Emitter, node: Node) -> None:
    """An export, with the flags of what it declared."""
    emitter.children(node)
    for flag in emitter.flags_due:
        emitter.text(f";const {flag}=1;")
    emitter.flags_due.clear()


def object_literal(emitter: Emitter, node: Node) -> None:
    """``{__proto__: p}`` sets the prototype, which this engine does not know of literals."""
    members = items(node)
    spread = next((i for i, member in enumerate(members) if member.type == "spread_element"), None)
    for member in members[(len(members) if spread is None else spread) :]:
        tokens = [child.type for child in member.children if not child.is_named]
        if member.type == "method_definition" and ("get" in tokens or "set" in tokens):
            raise emitter.source.refusal(
                "accessors behind a spread in an object literal are not available", member
            )
    is_proto = [_is_proto(emitter, member) for member in members]
    if not any(is_proto):
        emitter.children(node)
        return
    if spread is not None and any(is_proto[spread:]):
        raise emitter.source.refusal(
            "__proto__ behind a spread in an object literal is not available", node
        )
    emitter.text("__vitra_o(")
    emitter.children(node)
    emitter.text(")")


def _is_proto(emitter: Emitter, member: Node) -> bool:
    key = member.child_by_field_name("key") if member.type == "pair" else None
    return key is not None and emitter.source.text(key) in _PROTO_KEYS


_PROTO_KEYS = ("__proto__", "'__proto__'", '"__proto__"')


def pair(emitter: Emitter, node: Node) -> None:
    """A property; the prototype travels under a name of ours."""
    if not _is_proto(emitter, node):
        emitter.children(node)
        return
    at = node.start_byte
    for child in node.children:
        at = emitter.gap(at, child)
        if child == node.child_by_field_name("key"):
            emitter.text("__vitra_o")
        else:
            emitter.visit(child)


def spread_element(emitter: Emitter, node: Node) -> None:
    """The second stage would copy into an object literal that is spread."""
    argument = node.named_children[-1]
    is_object = node.parent is not None and node.parent.type == "object"
    _kept_apart(emitter, node, argument if is_object or _looks_like_array(argument) else None)


def _rest_value(node: Node, pattern: Node | None) -> Node | None:
    """The value to keep apart, when a pattern takes the rest of what looks like an array."""
    value = node.child_by_field_name("value") or node.child_by_field_name("right")
    has_rest = (
        pattern is not None
        and pattern.type == "array_pattern"
        and any(item.type == "rest_pattern" for item in items(pattern))
    )
    return value if has_rest and value is not None and _looks_like_array(value) else None


def assignment(emitter: Emitter, node: Node) -> None:
    """``[a, ...b] = c``."""
    _kept_apart(emitter, node, _rest_value(node, node.child_by_field_name("left")))


def _looks_like_array(value: Node) -> bool:
    """Whether the second stage may take it for an array and copy it with its holes.

    What iterates has no holes: they come as undefined.
    """
    return value.type == "array" or (value.type == "identifier" and value.text != b"arguments")


def _kept_apart(emitter: Emitter, node: Node, apart: Node | None) -> None:
    """Write a node; a comma keeps one part of it from the eyes of the second stage."""
    at = node.start_byte
    for child in node.children:
        at = emitter.gap(at, child)
        if child == apart:
            emitter.text("(0,")
            emitter.visit(child)
            emitter.text(")")
        else:
            emitter.visit(child)


RULES: dict[str, Rule] = {
    "identifier": use,
    "shorthand_property_identifier": use,
    "variable_declarator": declarator,
    "class": class_expression,
    "class_declaration": class_declaration,
    "export_statement": export_statement,
    "object": object_literal,
    "pair": pair,
    "spread_element": spread_element,
    "assignment_expression": assignment,
}
