"""Names declared twice, as the standard forbids it (modules are strict).

- The names of ``let``, ``const``, ``class``, imports, and of functions that stand in a block or at
  the top of the module are *lexical*: their block has each once.
- ``var`` goes up to its function; no block on the way has its name lexically.
- A name that the ``catch`` of a block or the parameters of a function bind is not lexical in it; a
  function has no two parameters of one name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tree_sitter import Node

from .syntax import FUNCTIONS, Source, items, names_in, parameters_of

_BLOCKS = frozenset(
    {"program", "statement_block", "for_statement", "for_in_statement", "switch_body"}
)
_FUNCTION_DECLARATIONS = frozenset({"function_declaration", "generator_function_declaration"})


@dataclass
class _Scope:
    node: Node
    parent: _Scope | None
    # Names that only one declaration may have, and those that var and functions share.
    lexical: dict[str, Node] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)


def check(source: Source) -> None:
    """Refuse a name that is declared twice.

    Raises:
      Refusal: at the later of two declarations.
    """
    stack: list[tuple[Node, _Scope | None]] = [(source.root, None)]
    while stack:
        node, outer = stack.pop()
        scope = outer
        if node.type in _BLOCKS:
            scope = _Scope(node, outer)
            _declare_block(source, scope)
        if node.type in FUNCTIONS:
            _check_parameters(source, node)
        if node.type in FUNCTIONS or node.type == "class_static_block":
            scope = None
        elif node.type == "variable_declaration" or _is_var_head(node):
            _check_var(source, node, scope)
        # In the order of the source: the first error is the one to see.
        stack.extend((child, scope) for child in reversed(node.children))


def _declare_block(source: Source, scope: _Scope) -> None:
    node = scope.node
    is_body = node.parent is not None and node.parent.type in FUNCTIONS
    bound = {source.text(name) for name in _bound_by_owner(node)}
    if is_body:
        scope.shared |= {source.text(name) for name in _functions_in(node)}
    for name in _lexical_names(node, is_body=is_body):
        text = source.text(name)
        if text in bound or text in scope.lexical or text in scope.shared:
            raise source.refusal(f"{text} is declared twice", name)
        scope.lexical[text] = name


def _bound_by_owner(node: Node) -> Iterator[Node]:
    """What the parameters of the function, or the catch, whose body this is bind."""
    owner = node.parent
    if owner is None or owner.child_by_field_name("body") != node:
        return
    if owner.type in FUNCTIONS:
        for parameter in parameters_of(owner):
            yield from names_in(parameter)
    elif owner.type == "catch_clause":
        caught = owner.child_by_field_name("parameter")
        if caught is not None:
            yield from names_in(caught)


def _lexical_names(node: Node, *, is_body: bool) -> Iterator[Node]:
    """Names declared lexically by statements directly in a block."""
    if node.type == "for_in_statement":
        kind = node.child_by_field_name("kind")
        left = node.child_by_field_name("left")
        if kind is not None and kind.type in ("let", "const") and left is not None:
            yield from names_in(left)
        return
    for statement in _statements(node):
        declared: Node | None = statement
        if statement.type == "export_statement":
            declared = statement.child_by_field_name("declaration")
        if declared is None:
            continue
        if declared.type == "lexical_declaration":
            for declarator in items(declared):
                target = declarator.child_by_field_name("name")
                yield from [] if target is None else names_in(target)
        elif declared.type == "import_statement":
            yield from _imported(declared)
        elif declared.type == "class_declaration" or (
            declared.type in _FUNCTION_DECLARATIONS and not is_body
        ):
            name = declared.child_by_field_name("name")
            if name is not None:
                yield name


def _functions_in(body: Node) -> Iterator[Node]:
    for statement in items(body):
        if statement.type in _FUNCTION_DECLARATIONS:
            name = statement.child_by_field_name("name")
            if name is not None:
                yield name


def _statements(node: Node) -> Iterator[Node]:
    """Statements directly in a block; the cases of a switch share one, a loop has its head."""
    if node.type == "for_statement":
        head = node.child_by_field_name("initializer")
        yield from [] if head is None else [head]
        return
    for child in node.named_children:
        if child.type in ("switch_case", "switch_default"):
            yield from child.named_children
        else:
            yield child


def _imported(statement: Node) -> Iterator[Node]:
    for clause in statement.named_children:
        if clause.type != "import_clause":
            continue
        for part in clause.named_children:
            if part.type == "named_imports":
                for specifier in items(part):
                    name = specifier.child_by_field_name("alias")
                    name = name or specifier.child_by_field_name("name")
                    yield from [] if name is None else [name]
            else:
                yield from names_in(part)


def _is_var_head(node: Node) -> bool:
    """``for (var x of …)``."""
    kind = node.child_by_field_name("kind") if node.type == "for_in_statement" else None
    return kind is not None and kind.type == "var"


def _check_var(source: Source, node: Node, scope: _Scope | None) -> None:
    if node.type == "for_in_statement":
        targets = [node.child_by_field_name("left")]
    else:
        targets = [declarator.child_by_field_name("name") for declarator in items(node)]
    names = [name for target in targets if target is not None for name in names_in(target)]
    while scope is not None:
        _check_catch(source, node, names, scope)
        for name in names:
            if source.text(name) in scope.lexical:
                raise source.refusal(f"{source.text(name)} is declared twice", name)
        scope = scope.parent


def _check_catch(source: Source, node: Node, names: list[Node], scope: _Scope) -> None:
    """``catch (e) { var e }`` is allowed, with a pattern or a ``for of`` it is not."""
    owner = scope.node.parent
    if owner is None or owner.type != "catch_clause":
        return
    parameter = owner.child_by_field_name("parameter")
    if parameter is None or (parameter.type == "identifier" and node.type != "for_in_statement"):
        return
    bound = {source.text(name) for name in names_in(parameter)}
    for name in names:
        if source.text(name) in bound:
            raise source.refusal(f"{source.text(name)} is declared twice", name)


def _check_parameters(source: Source, node: Node) -> None:
    seen: set[str] = set()
    for parameter in parameters_of(node):
        for name in names_in(parameter):
            text = source.text(name)
            if text in seen:
                raise source.refusal(f"two parameters are named {text}", name)
            seen.add(text)
