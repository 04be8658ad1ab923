"""Functions: fuel at the head of each, and coroutines for async functions and generators.

``async function f (a) { B }`` becomes ``function f (a) {return __vitra_a((a)=>{B},a)}``. The inner
arrow keeps ``this``, ``arguments`` and ``super`` of the outer function, so bodies stay as written;
``await x`` is ``__vitra_w(x)``, a call that gives control away and comes back with the result.
"""

from __future__ import annotations

from tree_sitter import Node

from .emitter import Emitter, Rule, declaration
from .fuel import tick
from .output import Later
from .syntax import FUNCTIONS, parameters_of, walk

# As many as __vitra_a and __vitra_g hand through one by one.
_MAX_PASSED = 4
_BINDINGS = frozenset({"identifier", "shorthand_property_identifier_pattern"})


def function(emitter: Emitter, node: Node) -> None:
    """A function, method or arrow of any kind."""
    _check_captured_parameters(emitter, node)
    tokens = [child.type for child in node.children if not child.is_named]
    is_generator = "*" in tokens or node.type.startswith("generator")
    if "async" in tokens and is_generator:
        raise emitter.source.refusal("async generators are not available in contracts", node)
    if "async" in tokens:
        _coroutine(emitter, node, "async")
    elif is_generator:
        _coroutine(emitter, node, "generator")
    else:
        _plain(emitter, node)


def _check_captured_parameters(emitter: Emitter, node: Node) -> None:
    """What a default closes over is the parameter, not the ``var`` of the body with its name."""
    several, body = node.child_by_field_name("parameters"), node.child_by_field_name("body")
    if several is None or body is None:
        return
    if any(inner.type in FUNCTIONS for inner in walk(several)):
        _refuse_shadowing_vars(
            emitter,
            several,
            body,
            "a var named like a parameter is not available where a default holds a function",
        )


def _plain(emitter: Emitter, node: Node) -> None:
    body = node.child_by_field_name("body")
    assert body is not None
    at = node.start_byte
    for child in node.children:
        at = emitter.gap(at, child)
        if child.id == body.id:
            with emitter.scope("function"):
                _body(emitter, body)
        else:
            _head_part(emitter, child)


def _head_part(emitter: Emitter, child: Node) -> None:
    """A name or the parameters, which are no part of the body."""
    if child.type == "formal_parameters":
        with emitter.scope("function", is_parameters=True):
            emitter.children(child)
    else:
        emitter.visit(child)


def _body(emitter: Emitter, body: Node) -> None:
    """A body with its fuel counter, in the scope just opened."""
    scope = emitter.scopes[-1]
    if body.type == "statement_block":
        head = Later()
        emitter.text("{")
        emitter.parts.append(head)
        _inside(emitter, body)
        emitter.text("}")
        head.text = f"{tick(body)};{declaration(scope)}"
        return
    with emitter.buffer() as parts:
        emitter.visit(body)
    if scope.temporaries:
        emitter.text(f"{{{tick(body)};{declaration(scope)}return (")
        emitter.parts.extend(parts)
        emitter.text(")}")
    else:
        emitter.text(f"({tick(body)},")
        emitter.parts.extend(parts)
        emitter.text(")")


def _inside(emitter: Emitter, block: Node) -> None:
    """What stands between the braces of a block."""
    at = block.children[0].end_byte
    for child in block.children[1:-1]:
        at = emitter.gap(at, child)
        emitter.visit(child)
    emitter.copy(at, block.children[-1].start_byte)


def _coroutine(emitter: Emitter, node: Node, kind: str) -> None:
    body = node.child_by_field_name("body")
    assert body is not None
    parameters = parameters_of(node)
    names = [emitter.source.text(p) for p in parameters if p.type == "identifier"]
    is_simple = len(names) == len(parameters) <= _MAX_PASSED and len(set(names)) == len(names)
    at = node.start_byte
    for child in node.children:
        if not child.is_named and child.type in ("async", "*"):
            # Only spaces may follow `async` on its line; a newline after `*` stays.
            at = emitter.gap(at, child)
            continue
        at = emitter.gap(at, child)
        if child.id == body.id:
            if is_simple:
                _simple_body(emitter, node, body, kind, names)
            elif kind == "generator":
                _generator_body(emitter, node, body)
            else:
                _async_body(emitter, node, body)
        elif not _is_parameters(node, child):
            emitter.visit(child)
        elif is_simple:
            emitter.text("(")
            emitter.text(",".join(names))
            emitter.text(")" + _newlines(emitter, child))
        elif kind == "generator":
            _head_part(emitter, child)
        else:
            emitter.text(_stand_ins(node, parameters))


def _is_parameters(node: Node, child: Node) -> bool:
    fields = (node.child_by_field_name("parameters"), node.child_by_field_name("parameter"))
    return any(field is not None and field.id == child.id for field in fields)


def _newlines(emitter: Emitter, node: Node) -> str:
    return "\n" * emitter.source.text(node).count("\n")


def _wrap(emitter: Emitter, node: Node, before: str, after: str) -> None:
    """Open and close the outer function's body around the parts just made by the caller."""
    if node.type == "arrow_function":
        emitter.parts.insert(0, before)
        emitter.text(after)
    else:
        emitter.parts.insert(0, "{return " + before)
        emitter.text(after + "}")


def _simple_body(emitter: Emitter, node: Node, body: Node, kind: str, names: list[str]) -> None:
    helper = "__vitra_a" if kind == "async" else "__vitra_g"
    passed = "".join("," + name for name in names)
    with emitter.buffer() as parts:
        emitter.text(f"({','.join(names)})=>")
        with emitter.scope(kind):
            _body(emitter, body)
        _wrap(emitter, node, f"{helper}(", f"{passed})")
    emitter.parts.extend(parts)


def _async_body(emitter: Emitter, node: Node, body: Node) -> None:
    """Errors of defaults and patterns reject the promise, so they belong to the inner function."""
    several = node.child_by_field_name("parameters")
    assert several is not None, "a single parameter is simple"
    if node.type == "arrow_function":
        stand_ins = "".join(f"__vitra_p{i}," for i in range(_length(parameters_of(node))))
        given = f"[{stand_ins}].concat(__vitra_r)" if stand_ins else "__vitra_r"
    else:
        given = "arguments"
    with emitter.buffer() as parts:
        _head_part(emitter, several)
        emitter.text("=>")
        with emitter.scope("async"):
            _body(emitter, body)
        _wrap(emitter, node, "__vitra_b(", f",{given})")
    emitter.parts.extend(parts)


def _stand_ins(node: Node, parameters: list[Node]) -> str:
    """Parameters that give the outer function its length."""
    names = [f"__vitra_p{i}" for i in range(_length(parameters))]
    if node.type == "arrow_function":
        names.append("...__vitra_r")
    return f"({','.join(names)})"


def _length(parameters: list[Node]) -> int:
    """What the function's ``length`` says: the parameters before the first default or rest."""
    for count, parameter in enumerate(parameters):
        if parameter.type in ("assignment_pattern", "rest_pattern"):
            return count
    return len(parameters)


def _generator_body(emitter: Emitter, node: Node, body: Node) -> None:
    """Errors of parameters come with the call, so they stay outside; the body sees them there."""
    several = node.child_by_field_name("parameters")
    assert several is not None, "generators are no arrows"
    _refuse_shadowing_vars(
        emitter, several, body, "a var named like a parameter of its generator is not available"
    )
    with emitter.buffer() as parts:
        emitter.text("()=>")
        with emitter.scope("generator"):
            _body(emitter, body)
        _wrap(emitter, node, "__vitra_g(", ")")
    emitter.parts.extend(parts)


def _refuse_shadowing_vars(emitter: Emitter, parameters: Node, body: Node, message: str) -> None:
    bound = {emitter.source.text(inner) for inner in walk(parameters) if inner.type in _BINDINGS}
    for inner in walk(body):
        if inner.type == "variable_declarator" and _is_var(inner):
            pattern = inner.child_by_field_name("name")
            assert pattern is not None
            for name in walk(pattern):
                if name.type in _BINDINGS and emitter.source.text(name) in bound:
                    raise emitter.source.refusal(message, name)


def _is_var(declarator: Node) -> bool:
    return declarator.parent is not None and declarator.parent.type == "variable_declaration"


def await_expression(emitter: Emitter, node: Node) -> None:
    """``await x``."""
    if emitter.scopes[-1].kind != "async":
        raise emitter.source.refusal("await works only inside an async function", node)
    # The length counts: the tree may call it void.
    _call(emitter, node, "__vitra_w(", node.start_byte + len("await"))


def yield_expression(emitter: Emitter, node: Node) -> None:
    """``yield``, ``yield x`` and ``yield* x``."""
    if emitter.scopes[-1].kind != "generator":
        raise emitter.source.refusal("yield works only inside a generator function", node)
    value = node.named_children[-1].start_byte if node.named_children else node.start_byte
    if b"\n" in emitter.source.data[node.start_byte : value]:
        raise emitter.source.refusal("the value of yield begins on the same line", node)
    star = next((child for child in node.children if child.type == "*"), None)
    if star is not None:
        _call(emitter, node, "__vitra_s(", star.end_byte)
    else:
        _call(emitter, node, "__vitra_y(", node.children[0].end_byte)


def _call(emitter: Emitter, node: Node, opening: str, at: int) -> None:
    """A call of ours with what follows the offset ``at`` as its argument."""
    emitter.text(opening)
    for child in node.children:
        if child.start_byte >= at:
            at = emitter.gap(at, child)
            emitter.visit(child)
    emitter.copy(at, node.end_byte)
    emitter.text(")")


def default_value(emitter: Emitter, node: Node) -> None:
    """A default in a pattern; among parameters there is no body to declare temporaries in."""
    right = node.child_by_field_name("right")
    at = node.start_byte
    for child in node.children:
        at = emitter.gap(at, child)
        if right is not None and child.id == right.id and emitter.scopes[-1].is_parameters:
            emitter.isolated(child, "function")
        else:
            emitter.visit(child)


RULES: dict[str, Rule] = {
    **dict.fromkeys(FUNCTIONS, function),
    "await_expression": await_expression,
    "yield_expression": yield_expression,
    "assignment_pattern": default_value,
    "object_assignment_pattern": default_value,
}
