"""``?.``, ``??`` and logical assignment, written with older operators.

``a?.b.c(d)`` is ``(a==null?void 0:a.b.c(d))``: one test for each ``?.``, and the rest of the chain
behind all of them. What is no plain name is kept in a temporary so that it runs once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tree_sitter import Node

from . import private_names
from .emitter import Emitter, Rule
from .functions import await_expression
from .output import Part

_LINKS = frozenset({"member_expression", "subscript_expression", "call_expression"})


def link(emitter: Emitter, node: Node) -> None:
    """A member, index or call: the end of a chain, optional or not."""
    if _stands_alone(emitter, node):
        rule = private_names.read if node.type == "member_expression" else private_names.call
        rule(emitter, node)
        return
    if _has_optional(node):
        _chain(emitter, node, "void 0", "")
        return
    callee = node.child_by_field_name("function")
    if callee is not None and callee.type == "parenthesized_expression":
        inner = callee.named_children[0]
        if inner.type in _LINKS and _has_optional(inner):
            raise emitter.source.refusal(
                "a call of an optional chain in parentheses is not available: leave them out",
                callee,
            )
    emitter.children(node)


def _stands_alone(emitter: Emitter, node: Node) -> bool:
    """Whether it is ``a.#x`` or ``a.#x()``, which a chain goes on from like from a name."""
    is_read = private_names.is_private(node)
    is_call = private_names.is_private(node.child_by_field_name("function"))
    if not is_read and not is_call:
        return False
    if _has_optional(node):
        raise emitter.source.refusal(
            "an optional chain up to a private name is not available in contracts", node
        )
    return True


def _inner(node: Node) -> Node | None:
    """What a link is a link of."""
    return node.child_by_field_name("object") or node.child_by_field_name("function")


def _is_optional(node: Node) -> bool:
    return any(child.type == "optional_chain" for child in node.children)


def _has_optional(node: Node | None) -> bool:
    while node is not None and node.type in _LINKS:
        if _is_optional(node):
            return True
        node = _inner(node)
    return False


@dataclass
class _Chain:
    """A chain as far as it is written."""

    # The tests of the links so far, each followed by what is given when it holds.
    tests: list[Part] = field(default_factory=list)
    # The value up to here, behind the tests.
    value: list[Part] = field(default_factory=list)
    # When the value is a member: its object and the rest, for calls that need ``this``.
    receiver: list[Part] | None = None
    member: list[Part] = field(default_factory=list)


def _chain(emitter: Emitter, node: Node, missing: str, operator: str) -> None:
    links: list[Node] = []
    base: Node | None = node
    while base is not None and base.type in _LINKS and not _stands_alone(emitter, base):
        links.append(base)
        base = _inner(base)
    assert base is not None
    links.reverse()
    if base.type == "parenthesized_expression" and _is_optional(links[0]):
        inner = base.named_children[0]
        if links[0].type == "call_expression" and inner.type in _LINKS:
            raise emitter.source.refusal(
                "an optional call of a member in parentheses is not available: leave them out",
                base,
            )
    chain = _Chain(value=emitter.rendered(base))
    if base.type == "super":
        chain.receiver = ["this"]
    for one in links:
        _add(emitter, chain, one, missing)
    emitter.text("(")
    emitter.parts.extend(chain.tests)
    emitter.text(operator)
    emitter.parts.extend(chain.value)
    emitter.text(")")


def _add(emitter: Emitter, chain: _Chain, node: Node, missing: str) -> None:
    rest = _rest(emitter, node)
    is_call = node.type == "call_expression"
    if not _is_optional(node):
        if is_call:
            chain.receiver, chain.member = None, []
        else:
            chain.receiver, chain.member = chain.value, rest
        chain.value = [*chain.value, *rest]
        return
    receiver: list[Part] | None = None
    if is_call and chain.receiver is not None:
        receiver = _keep_receiver(emitter, chain)
    name = _keep(emitter, chain, missing)
    chain.receiver, chain.member = None, []
    if not is_call:
        chain.receiver, chain.member = [name], rest
        chain.value = [name, *rest]
    elif receiver is None:
        chain.value = [name, *rest]
    else:
        arguments = node.child_by_field_name("arguments")
        assert arguments is not None
        chain.value = [name, ".call(", *receiver, *_arguments(emitter, arguments), ")"]


def _keep_receiver(emitter: Emitter, chain: _Chain) -> list[Part]:
    """Put the object of the member in a temporary, and let the member be one of it."""
    assert chain.receiver is not None
    if chain.receiver == ["super"] or _plain(emitter, chain.receiver) is not None:
        return ["this"] if chain.receiver == ["super"] else chain.receiver
    if _text(emitter, chain.receiver) == "super":
        return ["this"]
    name = emitter.temporary()
    chain.value = [f"({name}=", *chain.receiver, ")", *chain.member]
    return [name]


def _keep(emitter: Emitter, chain: _Chain, missing: str) -> str:
    """Test the value so far; gives the name that holds it."""
    name = _plain(emitter, chain.value)
    if name is None:
        name = emitter.temporary()
        chain.tests += [f"({name}=", *chain.value, f")==null?{missing}:"]
    else:
        chain.tests += [*chain.value, f"==null?{missing}:"]
    return name


def _text(emitter: Emitter, parts: list[Part]) -> str:
    data = emitter.source.data
    return "".join(
        data[part[0] : part[1]].decode() if isinstance(part, tuple) else str(part) for part in parts
    )


def _plain(emitter: Emitter, parts: list[Part]) -> str | None:
    """The name or ``this`` that parts consist of, else None."""
    if len(parts) != 1:
        return None
    text = _text(emitter, parts)
    return text if text.isidentifier() and text != "super" else None


def _rest(emitter: Emitter, node: Node) -> list[Part]:
    """A link without what it is a link of and without its ``?.``."""
    inner = _inner(node)
    assert inner is not None
    with emitter.buffer() as parts:
        at = inner.end_byte
        for child in node.children:
            if child.start_byte < inner.end_byte:
                continue
            at = emitter.gap(at, child)
            if child.type == "optional_chain":
                if node.type == "member_expression":
                    emitter.text(".")
            else:
                emitter.visit(child)
        emitter.copy(at, node.end_byte)
    return parts


def _arguments(emitter: Emitter, node: Node) -> list[Part]:
    """Arguments behind a first one of ours, without their brackets."""
    with emitter.buffer() as parts:
        if node.named_child_count:
            emitter.text(",")
        at = node.children[0].end_byte
        for child in node.children[1:-1]:
            at = emitter.gap(at, child)
            emitter.visit(child)
        emitter.copy(at, node.children[-1].start_byte)
    return parts


def unary_expression(emitter: Emitter, node: Node) -> None:
    """An await that the tree calls void, and ``delete a?.b``, which gives true without an a.

    ``+x`` becomes a call: the engine takes texts for numbers that are none.
    """
    operator = node.child_by_field_name("operator")
    argument = node.child_by_field_name("argument")
    if node.start_byte in emitter.source.awaits:
        await_expression(emitter, node)
        return
    if operator is not None and operator.type == "delete" and _has_optional(argument):
        assert argument is not None
        emitter.copy(operator.end_byte, argument.start_byte)
        _chain(emitter, argument, "true", "delete ")
    elif operator is not None and operator.type == "+" and _may_be_text(argument):
        assert argument is not None
        # A space, because the word before may end where the sign stood.
        emitter.text(" __vitra_u(")
        emitter.copy(operator.end_byte, argument.start_byte)
        emitter.visit(argument)
        emitter.text(")")
    else:
        emitter.children(node)


def _may_be_text(node: Node | None) -> bool:
    return node is not None and node.type not in ("number", "unary_expression")


def binary_expression(emitter: Emitter, node: Node) -> None:
    """``a ?? b``; other operators stay."""
    operator = node.child_by_field_name("operator")
    left = node.child_by_field_name("left")
    right = node.child_by_field_name("right")
    if left is not None and left.type == "private_property_identifier":
        private_names.has(emitter, node)
        return
    if operator is None or operator.type != "??":
        emitter.children(node)
        return
    assert left is not None
    assert right is not None
    value = emitter.rendered(left)
    name = _plain(emitter, value)
    emitter.text("(")
    if name is None:
        name = emitter.temporary()
        emitter.text(f"({name}=")
        emitter.parts.extend(value)
        emitter.text(")")
    else:
        emitter.parts.extend(value)
    emitter.copy(left.end_byte, operator.start_byte)
    emitter.text(f"!=null?{name}:")
    emitter.copy(operator.end_byte, right.start_byte)
    emitter.visit(right)
    emitter.text(")")


_LOGICAL = {"??=": "??", "||=": "||", "&&=": "&&"}


def logical_assignment(emitter: Emitter, node: Node) -> None:
    """``a ??= b``, ``a ||= b`` and ``a &&= b`` assign only when they must."""
    operator = node.child_by_field_name("operator")
    left = node.child_by_field_name("left")
    right = node.child_by_field_name("right")
    if operator is None or operator.type not in _LOGICAL:
        emitter.children(node)
        return
    assert left is not None
    assert right is not None
    if _has_optional(left):
        raise emitter.source.refusal("an optional chain cannot be assigned to", left)
    emitter.text("(")
    target = _target(emitter, left)
    if operator.type == "??=":
        name = target if left.type == "identifier" else emitter.temporary()
        emitter.text(
            f"{name}!=null?{name}:" if name == target else f"({name}={target})!=null?{name}:"
        )
    else:
        emitter.text(f"{target}{_LOGICAL[operator.type]}")
    emitter.text(f"({target}=")
    emitter.copy(left.end_byte, operator.start_byte)
    emitter.copy(operator.end_byte, right.start_byte)
    emitter.visit(right)
    emitter.text("))")


def _target(emitter: Emitter, left: Node) -> str:
    """Evaluate the parts of a target once; gives its text, which may then be used twice."""
    if left.type == "identifier":
        return emitter.source.text(left)
    base = left.child_by_field_name("object")
    assert base is not None
    if base.type == "super":
        raise emitter.source.refusal("logical assignment to super is not available", left)
    name = emitter.temporary()
    emitter.text(f"{name}=")
    emitter.visit(base)
    emitter.text(",")
    index = left.child_by_field_name("index")
    if index is None:
        member = left.child_by_field_name("property")
        assert member is not None
        return f"{name}.{emitter.source.text(member)}"
    key = emitter.temporary()
    emitter.text(f"{key}=")
    emitter.visit(index)
    emitter.text(",")
    return f"{name}[{key}]"


RULES: dict[str, Rule] = {
    **dict.fromkeys(_LINKS, link),
    "unary_expression": unary_expression,
    "binary_expression": binary_expression,
    "augmented_assignment_expression": logical_assignment,
}
