// One-feature programs on the language itself; see snippets.py.

//# arrow
const f = x => x + 1; const g = (a, b) => { return a * b }; return [f(1), g(2, 3)]
//# arrow_this
const o = { v: 5, f () { return [1].map(() => this.v) } }; return o.f()
//# arrow_arguments
function f () { return (() => arguments.length)() } return f(1, 2, 3)
//# let_scope
let a = 1; { let a = 2 } const fs = []; for (let i = 0; i < 3; i++) fs.push(() => i); return [a, fs.map(f => f())]
//# let_for_in
const fs = []; for (const k in {a: 1, b: 2}) fs.push(() => k); return fs.map(f => f())
//# const_loop_break
out: for (const a of [1, 2, 3]) { for (const b of [1, 2]) { if (a === 2) continue out; if (a === 3) break out } } return 1
//# closure_return
for (let i = 0; i < 5; i++) { const f = () => i; if (f() === 3) return f() }
//# tdz_closure
const f = () => y; try { f(); return 'read' } catch (e) { return e.name } finally { let z = 0 } let y = 1
//# parameter_named_like_its_function
function f (a, f = a) { return [a, f] } const g = function h ({ n }, h) { return [n, h] }; return [f(1), g({ n: 2 }, 3)]
//# tdz_hoisted
try { f(); return 'read' } catch (e) { return e.name } function f () { return w } let w = 1
//# tdz_later
const f = () => w; const g = () => f() + 1; const w = Number('4'); return g()
//# tdz_loop
const out = []; for (let i = 0; i < 2; i++) { const f = () => v; try { f() } catch (e) { out.push(e.name) } let v = i; out.push(f()) } return out
//# tdz_write
const f = () => { v = 1 }; try { f() } catch (e) { return e.name } let v; return 'wrote'
//# tdz_class
const f = () => new A(); try { f() } catch (e) { return e.name } class A {} return 'made'
//# tdz_shorthand
const f = () => ({ v }); try { f() } catch (e) { return [e.name] } let v = 2
//# tdz_typeof_closure
const f = () => typeof v; try { return f() } catch (e) { return e.name } finally { String(1) } let v = 2
//# destructuring_object
const { a, b: { c = 5 } = {}, ...rest } = { a: 1, d: 2, e: 3 }; return [a, c, rest]
//# destructuring_array
const [a, , b = 4, ...c] = [1, 2, undefined, 5, 6]; return [a, b, c]
//# destructuring_swap
let a = 1, b = 2; [a, b] = [b, a]; return [a, b]
//# destructuring_iterator
const [a, b] = new Set([1, 2, 3]); const [c] = 'xyz'; return [a, b, c]
//# destructuring_null
try { const { a } = null; return a } catch (e) { return e.name }
//# destructuring_not_iterable
try { const [a] = {}; return a } catch (e) { return e.name }
//# destructuring_param
const f = ({ a, b } = { a: 1, b: 2 }, [c] = [3]) => a + b + c; return [f(), f({ a: 5, b: 5 }, [1])]
//# destructuring_computed
const k = 'x'; const { [k]: v, ...r } = { x: 1, y: 2 }; return [v, r]
//# destructuring_assign
let a, o = {}; ({ a, b: o.b } = { a: 1, b: 2 }); return [a, o]
//# defaults
const f = (a = 1, b = a + 1) => [a, b]; return [f(), f(5), f(undefined, null)]
//# defaults_length
return [((a, b = 1, c) => 0).length, (async (a, b = 1) => 0).length, (async function (a, [b]) {}).length, (async (a, b) => 0).length, (function * (a) {}).length]
//# rest
const f = (a, ...r) => r; return [f(1), f(1, 2, 3)]
//# spread_call
return [Math.max(...[1, 5, 2]), Math.max(0, ...new Set([7]))]
//# spread_array
return [...'ab', ...[1, 2], ...new Map([[1, 2]])]
//# spread_new
return new Date(...[2020, 0, 2]).toISOString()
//# spread_object
return { a: 1, ...{ b: 2, a: 3 }, ...null, ...'hi', c: 4 }
//# spread_object_proto
const o = { ...JSON.parse('{"__proto__": 5}') }; return [Object.keys(o), o.__proto__ === 5]
//# spread_object_getter
let n = 0; const o = { ...{ get a () { return ++n } } }; return [o.a, o.a, n]
//# template
const x = 3; return `a${x}b${`c${x + 1}`}\n`
//# template_tagged
const t = (s, ...v) => [s.slice(), s.raw.slice(), v]; return t`a${1}\n${2}b`
//# template_raw
return String.raw`a\n${1}`
//# template_cached
const t = s => s; const f = () => t`x`; return f() === f()
//# computed_keys
const k = 'x'; return { [k]: 1, [k + 1] () {}, get [k + 2] () { return 3 } }
//# shorthand
const a = 1; const o = { a, f () { return 2 } }; return [o.a, o.f()]
//# numbers
return [0b101, 0o17, 0xff, 1_000, 0.1_5, 1e1_0]
//# exponent
let a = 2; a **= 3; return [2 ** 10, a, (-2) ** 2, 2 ** -1, 2 ** 3 ** 2]
//# for_of
let s = 0; for (const x of [1, 2, 3]) { if (x === 2) continue; s += x } return s
//# for_of_close
const log = []; const it = { [Symbol.iterator] () { return { next: () => ({ value: 1, done: false }), return () { log.push('closed'); return {} } } } }; for (const x of it) break; try { for (const x of it) throw 1 } catch (e) { log.push(e) } return log
//# for_of_destructuring
const out = []; for (const [k, { v }] of new Map([['a', { v: 1 }]])) out.push(k, v); return out
//# for_of_string
return [...(function () { const r = []; for (const c of 'aé😀') r.push(c); return r })()]
//# labels
let n = 0; a: for (;;) { b: for (;;) { n++; if (n > 3) break a; continue a } } return n
//# switch
const f = x => { switch (x) { case 1: return 'one'; case 2: default: return 'many' } }; return [f(1), f(2), f(9)]
//# comma
let a = (1, 2); for (let i = 0, j = 5; i < j; i++, j--) a += i; return a
//# do_while
let i = 0; do i++; while (i < 3) return i
//# typeof_undeclared
return typeof nowhere
//# void_in_instanceof
return [void 0 === undefined, 'a' in { a: 1 }, [] instanceof Array]
//# unicode_escapes
return ['\u{1F600}'.length, '\x41', '\u0042', '😀'.codePointAt(0)]
//# octal_escape_template
return `\0`.charCodeAt(0)
//# function_name
const f = () => {}; const o = { g () {}, h: function () {} }; return [f.name, o.g.name, o.h.name]
//# function_hoist
return f(); function f () { return 'hoisted' }
//# block_function
{ function g () { return 1 } } return typeof g
//# strict_this
return (function () { return this === undefined })()
//# strict_assign
try { Object.freeze([1]).push(2) } catch (e) { return e.name }
//# iife
return (() => { var a = 1; return a })()
//# asi
let a = 1
let b = a
;[1].forEach(x => { a += x })
return a
//# asi_optional
const o = { f: 1 }
let b = o
o?.f
return b === o
//# comments
/* a */ const x = /* b */ 1 // c
return x
//# catch_scope
var e = 1; try { throw 2 } catch (e) { e = 3 } return e
//# optional_member
const o = { a: { b: 1 } }; return [o?.a?.b, o.x?.b, o.x?.b.c.d, null?.x === undefined]
//# optional_call
const o = { f () { return this === o }, n: null }; return [o.f?.(), o.g?.() === undefined, o.n?.() === undefined, o?.f()]
//# optional_index
const a = [1]; const k = 0; return [a?.[k], undefined?.[k] === undefined]
//# optional_short_circuit
let n = 0; const o = null; o?.[n++]; o?.f(n++); return n
//# optional_delete
const o = { a: 1 }; return [delete o?.a, delete null?.a, o]
//# optional_chain_this
const o = { a: { v: 3, f () { return this.v } } }; return [o.a?.f?.(), o?.a.f(), (o.a)?.f()]
//# optional_once
let n = 0; const f = () => { n++; return { g: () => 1 } }; f()?.g?.(); return n
//# optional_getter
let n = 0; const o = { get a () { n++; return { b: 1 } } }; return [o.a?.b, n]
//# optional_default_param
const f = (a, b = a?.x?.y ?? 'none') => b; return [f(), f({ x: { y: 2 } })]
//# optional_template
const o = { a: 1 }; return `${o?.a}${o?.b?.c}`
//# optional_not_nullish
return [''?.length, 0?.toFixed(1), false?.valueOf()]
//# optional_not_function
try { ({ a: 1 }).a?.() } catch (e) { return e.name }
//# nullish
return [null ?? 1, undefined ?? 2, 0 ?? 3, '' ?? 4, false ?? 5]
//# nullish_once
let n = 0; const f = () => { n++; return null }; return [f() ?? 'x', n]
//# nullish_chain
return null ?? undefined ?? 3
//# nullish_mixed
const o = {}; return (o.a ?? 1) + (o.b ?? 2)
//# logical_assign
let a = null, b = 0, c = 1; a ??= 5; b ||= 6; c &&= 7; return [a, b, c]
//# logical_assign_member
const o = { a: null, b: 1 }; o.a ??= 2; o.b ??= 3; o['c'] ||= 4; o.b &&= 5; return o
//# logical_assign_short
let n = 0; const o = { get a () { return 1 }, set a (v) { n++ } }; o.a ||= 2; o.a ??= 3; return n
//# logical_assign_index
let n = 0; const a = [null]; a[n++] ??= 'x'; return [a, n]
//# catch_no_binding
try { throw 1 } catch { return 'caught' }
//# catch_pattern
try { throw { code: 5, list: [6] } } catch ({ code, list: [x] }) { return [code, x] }
//# finally_order
const log = []; const f = () => { try { log.push(1); return 'r' } finally { log.push(2) } }; return [f(), log]
//# finally_override
const f = () => { try { throw 1 } finally { return 'over' } }; return f()
//# finally_break
for (;;) { try { throw 1 } finally { break } } return 'out'
//# try_catch_finally
const log = []; try { try { throw 1 } catch (e) { log.push('c' + e); throw 2 } finally { log.push('f') } } catch (e) { log.push('o' + e) } return log
//# trailing_comma
const f = (a, b,) => a + b; return f(1, 2,)
//# closures_counter
const make = () => { let n = 0; return { inc: () => ++n, get n () { return n } } }; const c = make(); c.inc(); c.inc(); return c.n
//# recursion
const fib = n => n < 2 ? n : fib(n - 1) + fib(n - 2); return fib(12)
//# recursion_limit
const f = () => 1 + f(); try { f() } catch (e) { return e.name }
//# memoize
const memo = f => { const c = new Map(); return x => { if (!c.has(x)) c.set(x, f(x)); return c.get(x) } }; const sq = memo(x => x * x); return [sq(3), sq(3)]
//# pipe
return [1, 2, 3, 4].filter(x => x % 2).map(x => x ** 2).reduce((a, b) => a + b, 0)
//# group
const g = {}; for (const [k, v] of [['a', 1], ['b', 2], ['a', 3]]) (g[k] ||= []).push(v); return g
//# sort_objects
return Object.entries({ x: 3, y: 1, z: 2 }).sort(([, a], [, b]) => a - b).map(([k]) => k)
//# equality
return [null == undefined, null == 0, '1' == 1, [1] == 1, NaN == NaN, [] == false, ({}) == '[object Object]']
//# function_methods
function f (a, b) { return [this.x, a, b] } return [f.call({ x: 1 }, 2, 3), f.apply({ x: 1 }, [4, 5]), f.bind({ x: 6 }, 7)(8)]
//# global_this
return [typeof globalThis, globalThis.undefined === undefined, typeof globalThis.Object]
//# arguments_object
function f () { return [arguments.length, [...arguments], Array.from(arguments), Array.prototype.slice.call(arguments, 1)] } return f(1, 2)
//# sequence_getters
const log = []; const o = { get a () { log.push('a'); return 1 }, get b () { log.push('b'); return 2 } }; o.a + o.b; return log
//# evaluation_order
const log = []; const f = x => { log.push(x); return x }; const o = {}; o[f('k')] = f('v'); f(1) + f(2) * f(3); return log
//# declared_in_blocks
function f (a) { var a; function a2 () { return 1 } function a2 () { return 2 } { function a2 () { return 3 } } return a2() } try { throw 1 } catch (e) { var e = 2 } { let x = 1; { let x = 2 } } return [f(1), e === undefined]
//# default_reads_itself
function s (x = x) { return x } const out = [s(4)]; try { s() } catch (e) { out.push(e.name) } return out
//# default_reads_later
function s (a = b, b = 1) { return [a, b] } const out = [s(3)]; try { s() } catch (e) { out.push(e.name) } return out
//# default_typeof_early
const f = (a = typeof a) => a; try { f() } catch (e) { return e.name }
//# default_writes_early
const f = (a = (b = 2), b = 3) => a; try { f() } catch (e) { return [e.name, f(1)] }
//# default_in_pattern_early
const f = ({ a = b, b }) => [a, b]; try { f({ b: 1 }) } catch (e) { return [e.name, f({ a: 1, b: 2 })] }
//# default_pattern_of_itself
function s ([a] = [a]) { return a } try { s() } catch (e) { return [e.name, s([1])] }
//# default_async_early
async function s (a = a) { return [a] } try { await s() } catch (e) { return e.name }
//# default_catch_early
try { throw { a: 1 } } catch ({ a, b = a, c = () => b }) { return [a, b, c()] }
//# default_key_early
const f = ({ [k]: k } = {}) => k; try { f({}) } catch (e) { return e.name }
//# pattern_reads_earlier_name
const { a, b = a, c: [d] = [b + 1], ...e } = { a: 1, f: 2 }; const [g, h = g * 2] = [4]; return [a, b, d, e, g, h]
//# pattern_in_loop_reads_earlier_name
const out = []; for (const { a, b = a } of [{ a: 1 }, { a: 2, b: 3 }]) out.push(a, b); return out
//# pattern_closure_called_within
const [a, b = (() => a)()] = [1]; return [a, b]
//# class_static_names_class
class A { static m () { return A } static v = A.m() } return A.v === A
//# class_field_of_later_name
class A { limit = LIMIT } const LIMIT = 5; return new A().limit
//# class_field_too_early
class A { limit = LIMIT } try { new A() } catch (e) { return e.name } const LIMIT = 5
//# class_outer_name_in_static
function f () { return A } try { class A { static v = f() } } catch (e) { return e.name } class A {}
//# tdz_getter
const o = { get b () { return x } }; try { return o.b } catch (e) { return e.name } let x = 1
//# tdz_value_of
const o = { valueOf () { return x } }; try { return o + 1 } catch (e) { return e.name } let x = 1
//# expression_names
const X = class Y { static m () { return typeof Y } }; const g = function n () { return typeof n }; g(); let Y = 1, n = 2; return [X.m(), g(), Y, n]
