"""Names: globals that contracts do not have, and names that belong to compiled code."""

from __future__ import annotations

from tree_sitter import Node

from .syntax import FUNCTIONS, Source, parameters_of, walk

# Values of the realm that the prelude leaves in place.
_REALM = (
    "undefined NaN Infinity globalThis Object Array String Boolean Number Date RegExp Symbol Math "
    "JSON Map Set WeakMap WeakSet Promise Error EvalError RangeError ReferenceError SyntaxError "
    "TypeError URIError AggregateError ArrayBuffer DataView Int8Array Uint8Array "
    "Uint8ClampedArray Int16Array Uint16Array Int32Array Uint32Array Float32Array Float64Array "
    "TextEncoder parseInt parseFloat isNaN isFinite encodeURI encodeURIComponent decodeURI "
    "decodeURIComponent escape unescape console queueMicrotask arguments"
)
GLOBALS = frozenset(_REALM.split())

_OURS = ("__vitra", "babelHelpers")
_KEYWORDS = "await yield let static implements interface package private protected public enum"
_RESERVED = frozenset(_KEYWORDS.split())

_REFERENCES = frozenset({"identifier", "shorthand_property_identifier"})
_BINDINGS = frozenset({"identifier", "shorthand_property_identifier_pattern"})


def check(source: Source) -> None:
    """Refuse names that stand for nothing, and names of ours.

    Where a name is declared does not matter here, only that it is: what is used outside of its
    scope fails when it runs, as it does everywhere.

    Raises:
      Refusal: at the first such name.
    """
    declared = _declared(source)
    for node in walk(source.root):
        if node.type not in _REFERENCES | _BINDINGS:
            continue
        name = source.text(node)
        if any(character > "\uffff" for character in name):
            raise source.refusal("names with characters beyond U+FFFF are not available", node)
        if "\\" in name:
            raise source.refusal("escapes in names are not available in contracts", node)
        if name.startswith(_OURS):
            raise source.refusal(f"names that begin with {name[:12]} are reserved", node)
        if name in _RESERVED:
            raise source.refusal(f"{name} is a reserved word", node)
        if node.type not in _REFERENCES or name in declared or name in GLOBALS:
            continue
        if not _is_typeof(node) and not _is_alias(node):
            raise source.refusal(f"{name} is not defined, or not available in contracts", node)


def _is_typeof(node: Node) -> bool:
    parent = node.parent
    if parent is None or parent.type != "unary_expression":
        return False
    operator = parent.child_by_field_name("operator")
    return operator is not None and operator.type == "typeof"


def _is_alias(node: Node) -> bool:
    """Whether it is the outer name in ``export { inner as outer }``."""
    parent = node.parent
    if parent is None or parent.type != "export_specifier":
        return False
    alias = parent.child_by_field_name("alias")
    return alias is not None and alias.id == node.id


def _declared(source: Source) -> set[str]:
    names: set[str] = set()
    for node in walk(source.root):
        for binding in _bindings(node):
            for inner in walk(binding):
                if inner.type in _BINDINGS:
                    names.add(source.text(inner))
    return names


def _bindings(node: Node) -> list[Node]:
    """The parts of a node that declare names."""
    if node.type in FUNCTIONS:
        name = None if node.type == "method_definition" else node.child_by_field_name("name")
        return [*([name] if name is not None else []), *parameters_of(node)]
    if node.type in ("import_clause", "namespace_import"):
        return [node]
    if node.type in ("class_declaration", "class", "variable_declarator"):
        field = node.child_by_field_name("name")
    elif node.type == "catch_clause":
        field = node.child_by_field_name("parameter")
    elif node.type == "for_in_statement" and node.child_by_field_name("kind") is not None:
        field = node.child_by_field_name("left")
    else:
        field = None
    return [] if field is None else [field]
