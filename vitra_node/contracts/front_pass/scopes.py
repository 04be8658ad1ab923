"""Variables read before their declaration ran.

JavaScript throws for ``let``, ``const`` and ``class`` names used too early; the second stage turns
them into ``var``, which gives undefined. Here

- a use that stands before its declaration in the same function is refused: it can only throw; among
  parameters, whose defaults may never be needed, it is compiled to throw;
- a use in an inner function that might be called before is checked when it runs, by a flag that is
  set right after the declaration. Where nothing is called before the declaration ended there is
  nothing to check, so ordinary programs carry no flags.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tree_sitter import Node

from .bindings import Binding, is_early, is_inside
from .syntax import FUNCTIONS, Source, items, names_in, parameters_of, walk

_REFERENCES = frozenset({"identifier", "shorthand_property_identifier"})
_BLOCKS = frozenset(
    {"statement_block", "for_statement", "for_in_statement", "switch_body", "catch_clause"}
)
_CALLS = frozenset({"call_expression", "new_expression"})
_NAMED_EXPRESSIONS = frozenset({"function_expression", "generator_function", "class"})
# Methods that operators call.
_CONVERSIONS = frozenset({b"toString", b"valueOf", b"toJSON"})
# The flag of a name that has no value wherever this use is evaluated.
_NEVER_READY = "0"


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
            if node.type in _REFERENCES and not _is_name_of_function(node):
                uses.append((node, scope))
            inner = self._scope_of(node, scope)
            stack.extend(
                (child, scope if _is_computed_key(child) else inner)
                for child in reversed(node.children)
            )
        for node, scope in uses:
            self._resolve(node, scope)
        return self._checks

    def _scope_of(self, node: Node, outer: _Scope) -> _Scope:
        if node.type in FUNCTIONS:
            scope = _Scope(node, outer, node)
            self._declare_own_name(node, scope)
            for parameter in parameters_of(node):
                self._declare_names(parameter, parameter, scope)
            return scope
        if node.type == "class":
            scope = _Scope(node, outer, outer.function)
            self._declare_own_name(node, scope)
            return scope
        if _is_instance_field(node):
            # Its value is computed for each instance, as a function would.
            return _Scope(node, outer, node)
        if node.type in _BLOCKS:
            scope = _Scope(node, outer, outer.function)
            self._declare_in(node, scope)
            return scope
        return outer

    def _declare_own_name(self, node: Node, scope: _Scope) -> None:
        """The name of an expression, which only what is in it sees."""
        name = node.child_by_field_name("name")
        if name is not None and node.type in _NAMED_EXPRESSIONS:
            text = self._source.text(name)
            scope.names[text] = Binding(text)

    def _declare_names(
        self, target: Node, owner: Node, scope: _Scope, declaration: Node | None = None
    ) -> None:
        for name in names_in(target):
            text = self._source.text(name)
            scope.names[text] = Binding(text, name, owner, declaration)

    def _declare_in(self, node: Node, scope: _Scope) -> None:
        """Declare what belongs to exactly this scope."""
        if node.type == "catch_clause":
            parameter = node.child_by_field_name("parameter")
            if parameter is not None:
                self._declare_names(parameter, node, scope)
            return
        if node.type == "for_in_statement":
            left = node.child_by_field_name("left")
            if node.child_by_field_name("kind") is not None and left is not None:
                self._declare_names(left, node, scope)
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
                if target is not None:
                    self._declare_names(target, declarator, scope, declarator)
            return
        named = node.child_by_field_name("name")
        if named is None:
            return
        text = self._source.text(named)
        if node.type == "class_declaration":
            scope.names[text] = Binding(text, named, node, node)
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
        if binding.node is None or binding.node.start_byte == node.start_byte:
            return
        if at.function == own:
            self._check_same_function(node, binding, at)
        elif self._may_run_before(node, binding, at):
            self._add_check(node, binding, at)

    def _check_same_function(self, node: Node, binding: Binding, scope: _Scope) -> None:
        declaration = binding.declaration
        if is_early(node, binding):
            if declaration is None and scope.node.type != "for_in_statement":
                self._checks.uses[node.start_byte] = _NEVER_READY
                return
            raise self._source.refusal(f"{binding.name} is used before its declaration", node)
        if scope.node.type == "switch_body" and declaration is not None:
            case = declaration.parent.parent if declaration.parent is not None else None
            if case is not None and not is_inside(node, case):
                raise self._source.refusal(
                    f"{binding.name} is declared in another case of the switch", node
                )

    def _may_run_before(self, node: Node, binding: Binding, scope: _Scope) -> bool:
        """Whether a use in an inner function can run before the name is ready."""
        outermost = _outermost_function(node, scope.function)
        is_hoisted = outermost.type in ("function_declaration", "generator_function_declaration")
        if not is_hoisted and not is_early(outermost, binding):
            return False
        if _runs_unseen(outermost):
            return True
        earliest = scope.node.start_byte if is_hoisted else outermost.start_byte
        return any(earliest <= call <= binding.ready for call in scope.calls)

    def _add_check(self, node: Node, binding: Binding, scope: _Scope) -> None:
        declaration, pattern = binding.declaration, binding.pattern
        # The flag is set behind the whole pattern, which may call what reads the name rightly.
        is_uncertain = pattern is not None and any(
            pattern.start_byte <= call <= pattern.end_byte for call in scope.calls
        )
        if declaration is None or is_uncertain or _is_in_loop_head(declaration):
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


def _is_name_of_function(node: Node) -> bool:
    """Whether it only names a function: a parameter may have the same name."""
    parent = node.parent
    return (
        parent is not None
        and parent.type in FUNCTIONS
        and parent.child_by_field_name("name") == node
    )


def _is_computed_key(node: Node) -> bool:
    """Whether it is evaluated with the object or class, not with the method or field it names."""
    return node.type == "computed_property_name"


def _is_instance_field(node: Node) -> bool:
    return node.type == "field_definition" and not any(
        child.type == "static" for child in node.children
    )


def _runs_unseen(function: Node) -> bool:
    """Whether no call needs to be written for it to run: an accessor or a method with a symbol."""
    name = function.child_by_field_name("name")
    if function.type != "method_definition" or name is None:
        return False
    is_accessor = any(child.type in ("get", "set") for child in function.children)
    return is_accessor or name.type == "computed_property_name" or name.text in _CONVERSIONS


def _outermost_function(node: Node, owner: Node) -> Node:
    """The function directly below ``owner`` that the node is in."""
    found = node
    at: Node | None = node
    is_key = False
    while at is not None and at != owner:
        if (at.type in FUNCTIONS or _is_instance_field(at)) and not is_key:
            found = at
        is_key = _is_computed_key(at)
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
