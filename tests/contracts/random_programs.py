"""Small random programs over the language that contracts may use.

Each is the body of an async function with a function ``log`` that takes any value; what it logs, in
which order, and the name of the error that ends it, are the same here and in Node, or one of them
is wrong. Loops are bounded, and nothing depends on time, chance or the text of an error.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path


def _parts() -> dict[str, list[str]]:
    sections = Path(__file__).with_name("random_parts.txt").read_text().split("\n# ")[1:]
    return {
        name: lines.splitlines() for name, lines in (s.strip().split("\n", 1) for s in sections)
    }


_PARTS = _parts()
_ARITHMETIC = ["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", ">>>", "**"]
_COMPARISONS = ["<", ">", "<=", ">=", "==", "!=", "===", "!=="]
_ASSIGNMENTS = ["=", "+=", "-=", "*=", "|=", "??=", "||=", "&&="]
_KEYS = ["a", "b", "c", "d"]
# What the programs use besides the language.
SUPPORT = Path(__file__).with_name("random_support.js").read_text()


class ProgramSource:
    """Makes programs from one seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._names: dict[str, list[str]] = {}
        self._constants: set[str] = set()
        self._count = 0
        self._in: list[str] = []

    def program(self) -> str:
        """One program."""
        self._names = {"number": [], "text": [], "list": [], "object": [], "function": []}
        self._constants = set()
        self._count = 0
        self._in = ["async"]
        lines = [self._declaration(kind) for kind in ("number", "text", "list", "object")]
        lines += [self._statement(2) for _ in range(self._random.randint(2, 4))]
        lines += [f"log({name})" for kind in self._names for name in self._names[kind]]
        return "\n".join(lines)

    def _pick(self, items: list[str]) -> str:
        return self._random.choice(items)

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _fresh(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count}"

    def _fill(self, template: str, depth: int) -> str:
        makers: dict[str, Callable[[], str]] = {
            "{e}": lambda: self._expression(depth - 1),
            "{n}": lambda: str(self._random.randint(-2, 4)),
            "{t}": lambda: self._text(depth - 1),
            "{l}": lambda: self._list(depth - 1),
            "{o}": lambda: self._object(depth - 1),
            "{v}": lambda: "x",
        }
        # Most templates hold a function, in which nothing can be awaited.
        self._in.append("plain")
        for mark, make in makers.items():
            while mark in template:
                template = template.replace(mark, make(), 1)
        self._in.pop()
        return template

    # Expressions ----------------------------------------------------------------------------------

    def _known(self, kind: str, make: Callable[[], str]) -> str:
        names = self._names[kind]
        return self._pick(names) if names and self._chance(0.6) else make()

    def _number(self, depth: int) -> str:
        return self._known("number", lambda: f"({self._pick(_PARTS['numbers'])})")

    def _text(self, depth: int) -> str:
        return self._known("text", lambda: self._pick(_PARTS["texts"]))

    def _list(self, depth: int) -> str:
        def make() -> str:
            items = [self._expression(depth - 1) for _ in range(self._random.randint(0, 3))]
            return f"[{', '.join(items)}]"

        return self._known("list", make)

    def _object(self, depth: int) -> str:
        def make() -> str:
            keys = self._random.sample(_KEYS, self._random.randint(0, 3))
            return f"({{ {', '.join(f'{key}: {self._expression(depth - 1)}' for key in keys)} }})"

        return self._known("object", make)

    def _expression(self, depth: int) -> str:
        if depth <= 0:
            leaf = self._pick(["number", "text", "other", "number", "list", "object"])
            if leaf == "other":
                return self._pick(["null", "undefined", "true", "false"])
            return str(getattr(self, f"_{leaf}")(0))
        kind = self._random.randrange(12)
        if kind == 0:
            operator = self._pick(_ARITHMETIC)
            return f"({self._expression(depth - 1)} {operator} {self._expression(depth - 1)})"
        if kind == 1:
            operator = self._pick(_COMPARISONS)
            return f"({self._expression(depth - 1)} {operator} {self._expression(depth - 1)})"
        if kind == 2:
            parts = [self._expression(depth - 1) for _ in range(3)]
            return f"({parts[0]} ? {parts[1]} : {parts[2]})"
        if kind == 3:
            operator = self._pick(["&&", "||"])
            return f"({self._expression(depth - 1)} {operator} {self._expression(depth - 1)})"
        if kind == 4:
            return f"{self._list(depth)}.{self._fill(self._pick(_PARTS['array_calls']), depth)}"
        if kind == 5:
            return f"{self._text(depth)}.{self._fill(self._pick(_PARTS['text_calls']), depth)}"
        if kind == 6:
            return f"{self._number(depth)}.{self._pick(_PARTS['number_calls'])}"
        if kind == 7:
            unary = self._pick(["-", "!", "~", "+", "!!"])
            return f"({unary} {self._expression(depth - 1)})"
        if kind == 8 and self._names["function"]:
            arguments = f"{self._expression(depth - 1)}, {self._expression(depth - 1)}"
            return f"{self._pick(self._names['function'])}({arguments})"
        if kind == 9 and self._in[-1] == "async":
            return f"(await {self._expression(depth - 1)})"
        if kind == 10:
            return f"t({self._expression(depth - 1)})"
        return f"{self._fill(self._pick(_PARTS['functions']), depth)}"

    # Statements -----------------------------------------------------------------------------------

    def _declaration(self, kind: str) -> str:
        value = getattr(self, f"_{kind}")(2)
        name = self._fresh(kind[0])
        word = self._pick(["let", "const", "let", "var"])
        if word == "const":
            self._constants.add(name)
        self._names[kind].append(name)
        return f"{word} {name} = {value}"

    def _block(self, depth: int) -> str:
        """Statements whose names end with it."""
        known = {kind: list(names) for kind, names in self._names.items()}
        lines = [self._statement(depth - 1) for _ in range(self._random.randint(1, 3))]
        self._names = known
        return "{\n" + "\n".join(lines) + "\n}"

    def _statement(self, depth: int) -> str:
        makers = [self._log, self._log, self._assignment, self._variable, self._patterns]
        if depth > 0:
            makers += [self._written] * 8
            makers += [
                self._if, self._for, self._for_of, self._try, self._switch, self._function,
                self._while, self._generator, self._class, self._labelled, self._promises,
            ]  # fmt: skip
        return self._random.choice(makers)(depth)

    def _log(self, depth: int) -> str:
        return f"log({self._expression(min(depth, 2) + 1)})"

    def _written(self, depth: int) -> str:
        """A statement of the list, in which names and expressions are left open."""
        lists = ["statements"]
        if self._in[-1] == "async":
            lists.append("async_statements")
        text = self._pick(_PARTS[self._pick(lists)])
        for mark in ("{A}", "{B}", "{C}"):
            text = text.replace(mark, self._fresh("m"))
        while "{b}" in text:
            text = text.replace("{b}", self._block(depth), 1)
        self._in.append("plain")
        while "{f}" in text:
            text = text.replace("{f}", self._block(depth), 1)
        self._in.pop()
        text = self._fill(text, 1)
        # A line that begins with a bracket would go on with the one before.
        return f";{text}" if text[0] in "([`" else text

    def _variable(self, depth: int) -> str:
        return self._declaration(self._pick(["number", "text", "list", "object"]))

    def _assignment(self, depth: int) -> str:
        kind = self._pick(["number", "number", "text", "element", "property", "step"])
        operator = self._pick(_ASSIGNMENTS)
        value = self._expression(2)
        if kind == "element":
            return f"0,{self._list(1)}[{self._random.randint(0, 3)}] {operator} {value}"
        if kind == "property":
            return f"0,{self._object(1)}.{self._pick(_KEYS)} {operator} {value}"
        names = [
            n
            for n in self._names["number" if kind != "text" else "text"]
            if n not in self._constants
        ]
        if not names:
            return self._log(depth)
        name = self._pick(names)
        return f"log({name}++, --{name})" if kind == "step" else f"{name} {operator} {value}"

    def _patterns(self, depth: int) -> str:
        a, b, c = self._fresh("p"), self._fresh("p"), self._fresh("p")
        choice = self._random.randrange(4)
        if choice == 0:
            return f"const [{a}, {b} = t(1), ...{c}] = {self._list(2)}; log([{a}, {b}, {c}])"
        if choice == 1:
            return f"const {{ a: {a} = t(2), ...{b} }} = {self._object(2)}; log([{a}, {b}])"
        if choice == 2:
            return (
                f"let {a}, {b}; [{a}, {b}] = [{self._expression(1)}, {self._expression(1)}];"
                f" [{a}, {b}] = [{b}, {a}]; log([{a}, {b}])"
            )
        return f"const [{a}, [{b}] = [t(3)]] = {self._expression(1)}; log([{a}, {b}])"

    def _if(self, depth: int) -> str:
        otherwise = f" else {self._block(depth)}" if self._chance(0.5) else ""
        return f"if ({self._expression(2)}) {self._block(depth)}{otherwise}"

    def _for(self, depth: int) -> str:
        name = self._fresh("i")
        body = self._loop_body(depth, name)
        return f"for (let {name} = 0; {name} < {self._random.randint(1, 4)}; {name}++) {body}"

    def _loop_body(self, depth: int, name: str) -> str:
        self._names["number"].append(name)
        self._constants.add(name)
        extra = self._pick(
            [
                "",
                "",
                f"if ({name} === 1) continue\n",
                f"if ({name} === 2) break\n",
                f"fs.push(() => {name})\n",
            ]
        )
        body = self._block(depth)
        self._names["number"].remove(name)
        return "{\n" + extra + body + "\n}"

    def _for_of(self, depth: int) -> str:
        name = self._fresh("v")
        over = self._random.choice(
            [
                lambda: self._list(2),
                lambda: self._text(1),
                lambda: f"Object.entries({self._object(2)})",
                lambda: f"new Set({self._list(2)})",
                lambda: f"new Map([[{self._expression(1)}, 1]])",
            ]
        )()
        word = "for"
        if self._in[-1] == "async" and self._chance(0.2):
            word = "for await"
        if self._chance(0.2):
            return (
                f"for (const {name} in {self._object(2)}) {{\nlog({name})\n{self._block(depth)}\n}}"
            )
        return (
            f"{word} (const {name} of [...{over}].slice(0, 4))"
            f" {{\nlog({name})\n{self._block(depth)}\n}}"
        )

    def _while(self, depth: int) -> str:
        name = self._fresh("w")
        head = f"let {name} = {self._random.randint(1, 3)}\n"
        if self._chance(0.5):
            return f"{head}while ({name}-- > 0) {self._block(depth)}"
        return f"{head}do {self._block(depth)} while (--{name} > 0)"

    def _try(self, depth: int) -> str:
        name = self._fresh("e")
        head = self._pick(
            [
                "",
                "",
                f"throw new {self._pick(['TypeError', 'RangeError', 'Error'])}('x')\n",
                f"throw {self._text(1)}\n",
                "null.x\n",
            ]
        )
        catch = f"catch ({name}) {{\nlog({name}?.name ?? {name})\n{self._block(depth)}\n}}"
        if self._chance(0.2):
            catch = f"catch {self._block(depth)}"
        finish = f" finally {self._block(depth)}" if self._chance(0.5) else ""
        return f"try {{\n{self._block(depth)}\n{head}}} {catch}{finish}"

    def _switch(self, depth: int) -> str:
        cases = "".join(
            f"case {self._expression(1)}: {self._block(depth)}{self._pick([' break', ''])}\n"
            for _ in range(2)
        )
        rest = f"default: {self._block(depth)}\n" if self._chance(0.7) else ""
        return f"switch ({self._expression(1)}) {{\n{cases}{rest}}}"

    def _function(self, depth: int) -> str:
        name = self._fresh("f")
        is_async = self._chance(0.3)
        known = {kind: list(names) for kind, names in self._names.items()}
        self._in.append("async" if is_async else "plain")
        self._names["number"] += ["x", "y"]
        self._constants |= {"x", "y"}
        block = self._block(depth) + "\n" if self._chance(0.5) else ""
        body = f"{{\n{block}return {self._expression(2)}\n}}"
        value = self._expression(2)
        self._names = known
        self._in.pop()
        parameters = ["x, y", "x = t(5), y = x", "x, ...y"]
        if is_async:
            # Nobody may listen to the promise.
            body = f"{{ try {body} catch (e) {{ log(e); return 1 }} }}"
        else:
            parameters.append("{ a: x = 1, b: y } = {}, ...z")
        given = self._pick(parameters)
        later = "async " if is_async else ""
        texts = [
            f"{later}function {name} ({given}) {body}",
            f"const {name} = {later}({given}) => {body}",
            f"const {name} = {later}function ({given}) {body}",
            f"const {name} = ({{ {later}m ({given}) {body} }}).m",
            f"const {name} = ({given}) => {value}" if not is_async else f"const {name} = x => x",
        ]
        self._names["function"].append(name)
        return self._pick(texts)

    def _generator(self, depth: int) -> str:
        name = self._fresh("g")
        self._in.append("plain")
        first, second = self._expression(2), self._list(2)
        body = self._block(depth)
        self._in.pop()
        return (
            f"function * {name} (x, y = t(6)) {{\ntry {{\nlog(yield x)\n{body}\nyield *"
            f" {second}\nreturn {first}\n"
            f"}} finally {{ log('closed') }}\n}}\n"
            + self._pick([
                f"log([...{name}({self._expression(1)})].slice(0, 5))",
                f"for (const z of {name}(1)) {{ log(z); if (z === 2) break }}",
                f"{{ const it = {name}(7); log(it.next()); log(it.next(8)); log(it.return(9));"
                f" log(it.next()) }}",
                f"{{ const it = {name}(7); it.next(); try {{ log(it.throw(new RangeError('g')))"
                f" }} catch (e) {{ log(e.name) }} }}",
            ])
        )  # fmt: skip

    def _class(self, depth: int) -> str:
        name = self._fresh("K")
        other = self._fresh("K")
        self._in.append("plain")
        value, extra = self._expression(2), self._expression(2)
        body = self._block(depth)
        self._in.pop()
        return (
            f"class {name} {{\nv = {value}\nstatic s = t(1)\nconstructor (x) {{ this.x = x;"
            f" {body} }}\n"
            f"get d () {{ return [this.v, this.x] }}\nm (y) {{ return [y, this.d] }}\nstatic"
            f" of (x) {{ return new this(x) }}\n}}\n"
            f"class {other} extends {name} {{\nw = {extra}\nm (y) {{ return ['sub',"
            f" super.m(y), this.w] }}\n}}\n"
            f"log({other}.of({self._expression(1)}).m(2)); log([{other}.name, {other}.s, new"
            f" {other}() instanceof {name}])"
        )

    def _labelled(self, depth: int) -> str:
        name = self._fresh("l")
        a, b = self._fresh("i"), self._fresh("i")
        jump = self._pick([f"break {name}", f"continue {name}"])
        return (
            f"{name}: for (const {a} of [1, 2, 3]) {{\nfor (const {b} of [1, 2]) {{\n"
            f"if ({b} === {a} || {self._expression(1)}) {jump}\nlog([{a},"
            f" {b}])\n{self._block(depth)}\n}}\n}}"
        )

    def _promises(self, depth: int) -> str:
        if self._in[-1] != "async":
            return self._log(depth)
        self._in.append("plain")
        a, b = self._expression(1), self._expression(1)
        self._in.pop()
        return self._pick(
            [
                f"log(await Promise.all([{a}, Promise.resolve({b}), t(1)]))",
                f"await Promise.reject({a}).catch(e => log(e)).then(() => log({b})).finally(() =>"
                f" log('f'))",
                f"log((await Promise.allSettled([{a}, Promise.reject({b})])).map(r => r.status))",
                f"{{ const q = (async () => {{ log(1); await {a}; log(2); return {b} }})();"
                f" log(3); log(await q) }}",
                f"Promise.resolve({a}).then(v => log(v)); queueMicrotask(() => log('q')); await"
                f" null; log('n')",
                f"try {{ await (async () => {{ throw {a} }})() }} catch (e) {{ log(e) }}",
                f"log(await Promise.race([new Promise(r => r({a})), {b}]))",
                f"log(await ({{ then (r) {{ log('then'); r({a}) }} }}))",
            ]
        )


PARAMETERS = "log, t, structure, fs"


def programs(seed: int, count: int) -> list[str]:
    """So many programs of one seed."""
    source = ProgramSource(seed)
    return [source.program() for _ in range(count)]
