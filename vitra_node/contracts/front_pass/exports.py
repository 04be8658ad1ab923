"""What a contract exports: ``apply``, ``process``, and methods with their parameters."""

from __future__ import annotations

from dataclasses import dataclass

from tree_sitter import Node

from .syntax import FUNCTIONS, Source, items, parameters_of

# Values that are certainly no functions.
_PLAIN_VALUES = frozenset(
    {
        "number",
        "string",
        "template_string",
        "object",
        "array",
        "true",
        "false",
        "null",
        "undefined",
        "regex",
        "class",
        "class_declaration",
        "new_expression",
    }
)


@dataclass(frozen=True)
class Exports:
    """What was found."""

    methods: tuple[tuple[str, tuple[str, ...]], ...]
    apply_operations: tuple[str, ...] | None
    has_process: bool


def find(source: Source) -> Exports:
    """List the exports of a program.

    Raises:
      Refusal: there is no ``apply``.
    """
    exported: dict[str, Node | None] = {}
    local = _declarations(source)
    for statement in items(source.root):
        if statement.type == "export_statement":
            _collect(source, statement, local, exported)
    if "apply" not in exported:
        raise source.refusal("a contract exports apply, a function or an object", source.root)
    methods = [
        (name, _parameters(source, node))
        for name, node in exported.items()
        if name not in ("apply", "process") and (node is None or node.type not in _PLAIN_VALUES)
    ]
    return Exports(tuple(methods), _operations(source, exported["apply"]), "process" in exported)


def _collect(
    source: Source, node: Node, local: dict[str, Node | None], exported: dict[str, Node | None]
) -> None:
    declaration = node.child_by_field_name("declaration")
    value = node.child_by_field_name("value")
    if any(child.type == "default" for child in node.children):
        target = value if value is not None else declaration
        if target is not None and target.type == "identifier":
            target = local.get(source.text(target))
        exported["default"] = target
    elif declaration is not None:
        exported.update(_declared_by(source, declaration))
    for clause in node.named_children:
        if clause.type == "export_clause":
            for specifier in items(clause):
                name = specifier.child_by_field_name("name")
                alias = specifier.child_by_field_name("alias") or name
                assert name is not None
                assert alias is not None
                exported[source.text(alias).strip("'\"")] = local.get(source.text(name))


def _declarations(source: Source) -> dict[str, Node | None]:
    """Names declared at the top level, with the node of their value where it is plain to see."""
    names: dict[str, Node | None] = {}
    for statement in items(source.root):
        declaration: Node | None = statement
        if statement.type == "export_statement":
            declaration = statement.child_by_field_name("declaration")
        if declaration is not None:
            names.update(_declared_by(source, declaration))
    return names


def _declared_by(source: Source, declaration: Node) -> dict[str, Node | None]:
    if declaration.type in ("lexical_declaration", "variable_declaration"):
        names: dict[str, Node | None] = {}
        for declarator in items(declaration):
            name = declarator.child_by_field_name("name")
            if name is not None and name.type == "identifier":
                names[source.text(name)] = declarator.child_by_field_name("value")
        return names
    name = declaration.child_by_field_name("name")
    return {} if name is None else {source.text(name): declaration}


def _parameters(source: Source, node: Node | None) -> tuple[str, ...]:
    if node is None or node.type not in FUNCTIONS:
        return ()
    return tuple(_parameter_name(source, parameter) for parameter in parameters_of(node))


def _parameter_name(source: Source, node: Node) -> str:
    if node.type == "assignment_pattern":
        left = node.child_by_field_name("left")
        assert left is not None
        return source.text(left)
    return source.text(node)


def _operations(source: Source, node: Node | None) -> tuple[str, ...] | None:
    if node is None or node.type != "object":
        return None
    names: list[str] = []
    for member in items(node):
        key = member
        if member.type == "pair":
            key = member.child_by_field_name("key") or member
        elif member.type == "method_definition":
            key = member.child_by_field_name("name") or member
        if key.type == "string":
            names.append(source.text(key)[1:-1])
        elif key.type in ("property_identifier", "shorthand_property_identifier"):
            names.append(source.text(key))
        else:
            # Spread, computed keys: only running it tells.
            return None
    return tuple(names)
