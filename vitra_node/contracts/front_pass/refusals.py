"""What cannot run in a contract, found before anything is rewritten."""

from __future__ import annotations

from tree_sitter import Node

from .syntax import Source, items, walk

_NOT_AVAILABLE = {
    "decorator": "decorators are",
    "jsx_element": "JSX is",
    "jsx_self_closing_element": "JSX is",
    "with_statement": "with is",
    "using_declaration": "using is",
    "html_comment": "HTML comments are",
    "hash_bang_line": "a #! line is",
}

_ASSERTIONS = (
    "ok equal notEqual strictEqual notStrictEqual deepEqual notDeepEqual deepStrictEqual "
    "notDeepStrictEqual match doesNotMatch fail throws AssertionError"
)

# Modules and what they export; the prelude has the same lists.
MODULES: dict[str, frozenset[str]] = {
    "contract": frozenset({"index", "listOplogs", "isWriter", "oplog"}),
    "assert": frozenset(_ASSERTIONS.split()),
    "util": frozenset({"genUUID"}),
}

# Subclasses of these would get methods that give objects of the wrong class.
_NATIVE_CLASSES = (
    "Array Promise Function RegExp Date Number String Boolean Symbol ArrayBuffer Int8Array "
    "Uint8Array Uint8ClampedArray Int16Array Uint16Array Int32Array Uint32Array Float32Array "
    "Float64Array DataView"
)
_NO_SUPERCLASS = frozenset(_NATIVE_CLASSES.split())


def check(source: Source) -> None:
    """Refuse what cannot run.

    Raises:
      Refusal: the first construct of the program that cannot run.
    """
    for node in walk(source.root):
        reason = _NOT_AVAILABLE.get(node.type)
        if reason is not None:
            raise source.refusal(f"{reason} not available in contracts", node)
        check_one = _CHECKS.get(node.type)
        if check_one is not None:
            check_one(source, node)


def _import(source: Source, node: Node) -> None:
    module = node.child_by_field_name("source")
    assert module is not None
    name = source.text(module)[1:-1]
    if name not in MODULES:
        known = ", ".join(MODULES)
        raise source.refusal(f"there is no module {name!r} for contracts, only {known}", module)
    if any(child.type == "import_attribute" for child in node.children):
        raise source.refusal("import attributes are not available in contracts", node)
    for specifier in walk(node):
        if specifier.type == "import_specifier":
            wanted = specifier.child_by_field_name("name")
            assert wanted is not None
            if source.text(wanted) not in MODULES[name] | {"default"}:
                raise source.refusal(
                    f"the module {name!r} exports no {source.text(wanted)}", wanted
                )


def _export(source: Source, node: Node) -> None:
    module = node.child_by_field_name("source")
    if module is not None:
        raise source.refusal("exports from another module are not available in contracts", node)


def _call(source: Source, node: Node) -> None:
    callee = node.child_by_field_name("function")
    if callee is not None and callee.type == "import":
        raise source.refusal("import() is not available in contracts", node)


def _meta(source: Source, node: Node) -> None:
    raise source.refusal(f"{source.text(node)} is not available in contracts", node)


def _heritage(source: Source, node: Node) -> None:
    for child in items(node):
        if child.type == "identifier" and source.text(child) in _NO_SUPERCLASS:
            raise source.refusal(
                f"classes that extend {source.text(child)} are not available in contracts", child
            )


def _new(source: Source, node: Node) -> None:
    constructor = node.child_by_field_name("constructor")
    while constructor is not None:
        if any(child.type == "optional_chain" for child in constructor.children):
            raise source.refusal("new with an optional chain is a syntax error", constructor)
        constructor = constructor.child_by_field_name("object")


def _assignment(source: Source, node: Node) -> None:
    left = node.child_by_field_name("left")
    while left is not None and left.type in ("member_expression", "subscript_expression"):
        if any(child.type == "optional_chain" for child in left.children):
            raise source.refusal("an optional chain cannot be assigned to", left)
        left = left.child_by_field_name("object")


_CHECKS = {
    "import_statement": _import,
    "export_statement": _export,
    "call_expression": _call,
    "meta_property": _meta,
    "class_heritage": _heritage,
    "new_expression": _new,
    "assignment_expression": _assignment,
    "augmented_assignment_expression": _assignment,
}
