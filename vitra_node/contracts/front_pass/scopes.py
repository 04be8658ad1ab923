"""Variables read before their declaration ran.

JavaScript throws for ``let``, ``const`` and ``class`` names used too early; the second stage turns
them into ``var``, which gives undefined. Here

- a use that stands before its declaration in the same function is refused: it can only throw;
- a use in an inner function that might be called before is checked when it runs, by a flag that is
  set right after the declaration. Where nothing is called before the declaration ended there is
  nothing to check, so ordinary programs carry no flags.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tree_sitter import Node

from .syntax import FUNCTIONS, Source, items, names_in, parameters_of, walk

_REFERENCES = frozenset({"identifier", "shorthand_property_identifier"})
_BLOCKS = frozenset(
    {"statement_block", "for_statement", "for_in_statement", "switch_body", "catch_clause"}
)
_CALLS = frozenset({"call_expression", "new_expression"})


@dataclass
class Binding:
    """A declared name."""

    name: str
    # Where the name begins and where its value is there, in bytes; None for what is hoisted.
    start: int = 0
    ready: int | None = None
    # The declarator or class, which sets the flag.
    declaration: Node | None = None
    flag: str | None = None


@dataclass
class _Scope:
    node: Node
    parent: _Scope | None
    # The function (or program) it belongs to.
    function: Node
    names: dict[str, Binding] = field(default_factory=dict)
    # Calls made by the function's own code in this scope and those in it, by offset.
    calls: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Checks:
    """What the emitter must write."""

    # Offset of a use -> its flag.
    uses: dict[int, str]
    # Offset of a declarator or class -> the flag to set behind it.
    declarations: dict[int, str]


def find_checks(source: Source) -> Checks:
    """Resolve all names.

    Raises:
      Refusal: a name is used before its declaration, where it can only throw.
    """
    return _Resolver(source).run()


class _Resolver:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._scopes: dict[int, _Scope] = {}
        self._checks = Checks({}, {})

    def run(self) -> Checks:
        root = self._source.root
        top = _Scope(root, None, root)
        self._declare_in(root, top)
        stack: list[tuple[Node, _Scope]] = [(child, top) for child in reversed(root.children)]
        uses: list[tuple[Node, _Scope]] = []
        while stack:
            node, scope = stack.pop()
            if node.type in _CALLS:
                self._note_call(node, scope)
            if node.type in _REFERENCES:
                uses.append((node, scope))
            inner = self._scope_of(node, scope)
            stack.extend((child, inner) for child in reversed(node.children))
        for node, scope in uses:
            self._resolve(node, scope)
        return self._checks

    def _scope_of(self, node: Node, outer: _Scope) -> _Scope:
        if node.type in FUNCTIONS:
            scope = _Scope(node, outer, node)
            for parameter in parameters_of(node):
                for name in names_in(parameter):
                    scope.names[self._source.text(name)] = Binding(self._source.text(name))
            return scope
        if node.type in _BLOCKS:
            scope = _Scope(node, outer, outer.function)
            self._declare_in(node, scope)
            return scope
        return outer

    def _declare_in(self, node: Node, scope: _Scope) -> None:
        """Declare what belongs to exactly this scope."""
        if node.type == "catch_clause":
            parameter = node.child_by_field_name("parameter")
            for name in [] if parameter is None else names_in(parameter):
                scope.names[self._source.text(name)] = Binding(self._source.text(name))
            return
        if node.type == "for_in_statement":
            self._declare_loop_name(node, scope)
        if node.type in ("program", "statement_block") and scope.function.id in (
            node.id,
            node.parent.id if node.parent is not None else -1,
        ):
            self._declare_vars(node, scope)
        for statement in _statements(node):
            declared: Node | None = statement
            if statement.type == "export_statement":
                declared = statement.child_by_field_name("declaration")
            if declared is not None:
                self._declare(declared, scope)

    def _declare_loop_name(self, node: Node, scope: _Scope) -> None:
        left = node.child_by_field_name("left")
        right = node.child_by_field_name("right")
        if node.child_by_field_name("kind") is None or left is None or right is None:
            return
        for name in names_in(left):
            text = self._source.text(name)
            scope.names[text] = Binding(text, name.start_byte, right.end_byte, None)

    def _declare_vars(self, node: Node, scope: _Scope) -> None:
        """``var`` belongs to the whole function and is undefined at first: nothing to check."""
        for inner in _own_nodes(node):
            if inner.type == "variable_declaration":
                for declarator in items(inner):
                    target = declarator.child_by_field_name("name")
                    for name in [] if target is None else names_in(target):
                        text = self._source.text(name)
                        scope.names.setdefault(text, Binding(text))
        for statement in items(node):
            if statement.type == "import_statement":
                for name in walk(statement):
                    if name.type == "identifier":
                        text = self._source.text(name)
                        scope.names.setdefault(text, Binding(text))

    def _declare(self, node: Node, scope: _Scope) -> None:
        if node.type == "lexical_declaration":
            for declarator in items(node):
                target = declarator.child_by_field_name("name")
                for name in [] if target is None else names_in(target):
                    text = self._source.text(name)
                    scope.names[text] = Binding(
                        text, name.start_byte, declarator.end_byte, declarator
                    )
            return
        named = node.child_by_field_name("name")
        if named is None:
            return
        text = self._source.text(named)
        if node.type == "class_declaration":
            scope.names[text] = Binding(text, named.start_byte, node.end_byte, node)
        elif node.type in ("function_declaration", "generator_function_declaration"):
            scope.names[text] = Binding(text)

    def _note_call(self, node: Node, scope: _Scope | None) -> None:
        function = scope.function if scope is not None else None
        while scope is not None and scope.function == function:
            scope.calls.append(node.end_byte)
            scope = scope.parent

    def _resolve(self, node: Node, scope: _Scope) -> None:
        name = self._source.text(node)
        own = scope.function
        at: _Scope | None = scope
        while at is not None and name not in at.names:
            at = at.parent
        if at is None:
            return
        binding = at.names[name]
        if binding.ready is None or binding.start == node.start_byte:
            return
        if at.function == own:
            self._check_same_function(node, binding, at)
        elif self._may_run_before(node, binding, at):
            self._add_check(node, binding)

    def _check_same_function(self, node: Node, binding: Binding, scope: _Scope) -> None:
        assert binding.ready is not None
        declaration = binding.declaration
        if declaration is not None and declaration.type == "class_declaration":
            # A class may name itself in its own body.
            ready = binding.start
        else:
            ready = binding.ready
        if node.start_byte < ready and not _is_pattern_target(node, declaration):
            raise self._source.refusal(f"{binding.name} is used before its declaration", node)
        if scope.node.type == "switch_body" and declaration is not None:
            case = declaration.parent.parent if declaration.parent is not None else None
            if case is not None and not case.start_byte <= node.start_byte < case.end_byte:
                raise self._source.refusal(
                    f"{binding.name} is declared in another case of the switch", node
                )

    def _may_run_before(self, node: Node, binding: Binding, scope: _Scope) -> bool:
        """Whether a use in an inner function can run before the name is ready."""
        assert binding.ready is not None
        outermost = _outermost_function(node, scope.function)
        is_hoisted = outermost.type in ("function_declaration", "generator_function_declaration")
        if not is_hoisted and outermost.start_byte > binding.ready:
            return False
        earliest = scope.node.start_byte if is_hoisted else outermost.start_byte
        return any(earliest <= call <= binding.ready for call in scope.calls)

    def _add_check(self, node: Node, binding: Binding) -> None:
        declaration = binding.declaration
        if declaration is None or _is_in_loop_head(declaration):
            raise self._source.refusal(f"{binding.name} may be used before its declaration", node)
        if binding.flag is None:
            known = self._checks.declarations
            binding.flag = known.setdefault(declaration.start_byte, f"__vitra_d{len(known)}")
        self._checks.uses[node.start_byte] = binding.flag


def _statements(node: Node) -> Iterator[Node]:
    """Statements directly in a scope; the cases of a switch share one."""
    for child in node.named_children:
        if child.type in ("switch_case", "switch_default"):
            yield from child.named_children
        else:
            yield child


def _own_nodes(node: Node) -> Iterator[Node]:
    """Nodes below, without those in inner functions."""
    stack = list(node.children)
    while stack:
        inner = stack.pop()
        yield inner
        if inner.type not in FUNCTIONS:
            stack.extend(inner.children)


def _outermost_function(node: Node, owner: Node) -> Node:
    """The function directly below ``owner`` that the node is in."""
    found = node
    at: Node | None = node
    while at is not None and at != owner:
        if at.type in FUNCTIONS:
            found = at
        at = at.parent
    return found


def _is_in_loop_head(declaration: Node) -> bool:
    statement = declaration.parent
    head = statement.parent if statement is not None else None
    return (
        head is not None
        and head.type == "for_statement"
        and (head.child_by_field_name("initializer") == statement)
    )


def _is_pattern_target(node: Node, declaration: Node | None) -> bool:
    """Whether it is a name being declared by the pattern itself."""
    if declaration is None:
        return False
    target = declaration.child_by_field_name("name")
    return target is not None and any(name == node for name in names_in(target))
