// One-feature programs, run here and in Node: each is the body of an async function that returns a
// JSON value. What it returns or throws must be the same in both; texts of errors may differ, names
// not. `//# name` begins the next.
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
//# class_self
class A { make () { return new A() } static one = 1 } return [new A().make() instanceof A, A.one]
//# classes
class A { constructor (x) { this.x = x } get double () { return this.x * 2 } static of (x) { return new A(x) } toString () { return `A${this.x}` } } return [A.of(2).double, String(new A(3)), typeof A, A.name]
//# class_extends
class A { hi () { return 'a' } static s () { return 's' } } class B extends A { hi () { return super.hi() + 'b' } static s () { return super.s() + 't' } } return [new B().hi(), B.s(), new B() instanceof A]
//# class_call
class A {} try { A() } catch (e) { return e.name }
//# class_accessor
class A { set v (x) { this._v = x } get v () { return this._v + 1 } } const a = new A(); a.v = 4; return [a.v, Object.keys(a)]
//# class_fields
class A { x = 1; static y = 2; z = this.x + 1; ['w' + 1] = 3 } return [new A().z, A.y, Object.keys(new A())]
//# class_field_define
class A { set x (v) { throw new Error('set') } } class B extends A { x = 1 } return new B().x
//# class_field_arrow
class A { v = 3; f = () => this.v } const { f } = new A(); return f()
//# class_field_unset
class A { x } return ['x' in new A(), new A().x === undefined]
//# class_expression
const A = class { m () { return 1 } }; return [new A().m(), A.name]
//# class_methods_hidden
class A { m () {} } return [Object.keys(A.prototype), Object.getOwnPropertyNames(A.prototype)]
//# class_getter_super
class A { get v () { return this.x } } class B extends A { x = 4; get v () { return super.v + 1 } } return new B().v
//# class_computed
const k = 'm'; class A { [k + 1] () { return 2 } } return new A().m1()
//# error_subclass
class E extends Error { constructor (m) { super(m); this.name = 'E'; this.code = 7 } extra () { return 1 } } try { throw new E('x') } catch (e) { return [e.name, e.message, e.code, e instanceof E, e instanceof Error, e.extra(), String(e)] }
//# error_subclass_plain
class E extends TypeError {} const e = new E('m'); return [e.name, e.message, e instanceof E, e instanceof TypeError, e.constructor === E]
//# map_subclass
class M extends Map { get first () { return this.keys().next().value } } const m = new M([[1, 2]]); return [m.first, m.get(1), m.size, m instanceof M]
//# set_subclass
class S extends Set { has (x) { return super.has(String(x)) } } const s = new S(['1']); return s.has(1)
//# super_property
const a = { v () { return 'a' } }; const b = { __proto__: a, v () { return super.v() + 'b' } }; return b.v()
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
//# getter_setter
const o = { get a () { return this._a }, set a (v) { this._a = v * 2 } }; o.a = 2; return o
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
//# getter_delete
const o = { a: 1, b: 2 }; delete o.a; return [o, 'a' in o]
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
//# getter_static
class A { static get x () { return 4 } } return A.x
//# new_anonymous
return new (class { v = 2 })().v
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
//# generator
function * g (a) { const x = yield a; yield x * 2; return 9 } const i = g(1); return [i.next(), i.next(5), i.next(), i.next()]
//# generator_for_of
function * g () { yield 1; yield 2; return 3 } return [...g()]
//# generator_return
const log = []; function * g () { try { yield 1; yield 2 } finally { log.push('f') } } const i = g(); i.next(); return [i.return(7), i.next(), log]
//# generator_return_catch
function * g () { try { yield 1 } catch (e) { yield 'no' } finally { yield 'fin' } } const i = g(); i.next(); return [i.return(5), i.next(), i.next()]
//# generator_throw
function * g () { try { yield 1 } catch (e) { yield 'c' + e } } const i = g(); i.next(); return [i.throw(8), i.next()]
//# generator_throw_first
function * g () { yield 1 } const i = g(); try { i.throw(new Error('x')) } catch (e) { return [e.message, i.next()] }
//# generator_delegate
function * a () { const x = yield 1; return x + 1 } function * b () { const r = yield * a(); yield r } const i = b(); return [i.next(), i.next(5), i.next()]
//# generator_delegate_return
const log = []; function * a () { try { yield 1 } finally { log.push('a') } } function * b () { try { yield * a() } finally { log.push('b') } } const i = b(); i.next(); return [i.return(3), log]
//# generator_method
const o = { * g () { yield this.v }, v: 4 }; class A { static * s () { yield 5 } } return [...o.g(), ...A.s()]
//# generator_args
function * g () { yield arguments.length; yield this === undefined } return [...g(1, 2)]
//# generator_defaults
function * g ({ a = 1 } = {}, ...r) { yield a; yield r } return [...g(undefined, 2)]
//# generator_infinite
function * n () { let i = 0; while (true) yield i++ } const out = []; for (const x of n()) { if (x > 3) break; out.push(x) } return out
//# generator_running
let i; function * g () { i.next() } i = g(); try { i.next() } catch (e) { return e.name }
//# generator_tree
function * walk (t) { if (t) { yield * walk(t.l); yield t.v; yield * walk(t.r) } } return [...walk({ l: { v: 1 }, v: 2, r: { l: { v: 3 }, v: 4 } })]
//# iterator_custom
const o = { * [Symbol.iterator] () { yield 1; yield 2 } }; return [...o, Math.max(...o)]
//# async_basic
const f = async x => x + 1; return await f(1) + await f(2)
//# async_throw
const f = async () => { throw new TypeError('t') }; try { await f() } catch (e) { return [e.name, e.message] }
//# async_param_throw
const f = async ({ a }) => a; return await f().catch(e => e.name)
//# async_default_throw
const f = async (a = (() => { throw new RangeError('r') })()) => a; return await f().catch(e => e.name)
//# async_this
const o = { v: 2, async m () { const f = async () => this.v; return await f() } }; return await o.m()
//# async_arguments
async function f () { return arguments.length } return [await f(1, 2), await (async function (a, b = 2) { return arguments.length })(1)]
//# async_method
class A { async m () { return 1 } static async s () { return 2 } } class B extends A { async m () { return await super.m() + 10 } } return [await new B().m(), await B.s()]
//# async_many_params
const f = async (a, b, c, d, e) => [a, b, c, d, e]; async function g (a, b, c, d, e, f) { return arguments.length + f } return [await f(1, 2, 3, 4, 5), await g(1, 2, 3, 4, 5, 6)]
//# async_finally
const log = []; const f = async () => { try { await 1; return 'r' } finally { await 2; log.push('f') } }; return [await f(), log]
//# async_loop
let s = 0; for (const p of [1, Promise.resolve(2), 3]) s += await p; return s
//# async_closure_loop
const fs = []; for (let i = 0; i < 3; i++) { await null; fs.push(() => i) } return fs.map(f => f())
//# async_in_map
return await Promise.all([1, 2, 3].map(async x => { await null; return x * 2 }))
//# async_optional
const o = { f: async () => ({ a: 1 }) }; return [(await o.f())?.a, (await o?.f?.()).a]
//# async_nested_return
return await (async () => { return await (async () => 5)() })()
//# async_conditional
const f = async b => b ? await 1 : await 2; return [await f(true), await f(false)]
//# await_thenable
return await { then (r) { r(6) } }
//# await_order
const log = []; const a = async n => { log.push(n + 1); await null; log.push(n + 2); await null; log.push(n + 3) }; await Promise.all([a(10), a(20)]); return log
//# microtask_order
const log = []; const p = Promise.resolve(); p.then(() => log.push(1)).then(() => log.push(3)); p.then(() => log.push(2)).then(() => log.push(4)); queueMicrotask(() => log.push('q')); (async () => { await null; log.push('a') })(); await null; await null; await null; await null; return log
//# return_promise_ticks
const log = []; const a = async () => Promise.resolve(1); const b = async () => 1; a().then(() => log.push('a')); b().then(() => log.push('b')); Promise.resolve().then(() => log.push(1)).then(() => log.push(2)).then(() => log.push(3)).then(() => log.push(4)); for (let i = 0; i < 8; i++) await null; return log
//# thenable_ticks
const log = []; Promise.resolve({ then (r) { log.push('then'); r(1) } }).then(() => log.push('done')); Promise.resolve().then(() => log.push(1)).then(() => log.push(2)).then(() => log.push(3)); for (let i = 0; i < 8; i++) await null; return log
//# await_reject_order
const log = []; const f = async () => { try { await Promise.reject(1) } catch (e) { log.push('c' + e) } }; Promise.resolve().then(() => log.push(1)).then(() => log.push(2)); await f(); log.push('end'); return log
//# promise_all
return [await Promise.all([1, Promise.resolve(2)]), await Promise.all([]), await Promise.all([Promise.reject(3)]).catch(e => e)]
//# promise_settled
return await Promise.allSettled([1, Promise.reject(2)])
//# promise_any
return [await Promise.any([Promise.reject(1), 2]), await Promise.any([Promise.reject(1)]).catch(e => [e.name, e.errors])]
//# promise_race
return await Promise.race([new Promise(() => {}), 5])
//# promise_finally
const log = []; const r = await Promise.resolve(1).finally(() => { log.push('f'); return 9 }); const e = await Promise.reject(2).finally(() => {}).catch(x => x); return [r, e, log]
//# promise_executor_throw
return await new Promise(() => { throw new Error('x') }).catch(e => e.message)
//# promise_self
let r; const p = new Promise(x => { r = x }); r(p); return await p.catch(e => e.name)
//# promise_once
return await new Promise((a, b) => { a(1); b(2); a(3); throw 4 })
//# promise_then_values
return await Promise.resolve(4).then(5).then(null, 6)
//# promise_tag
return [Object.prototype.toString.call(Promise.resolve()), Promise.resolve() instanceof Promise, Promise.name]
//# for_await
const out = []; for await (const x of [1, Promise.resolve(2)]) out.push(x); return out
//# for_await_custom
const o = { [Symbol.asyncIterator] () { let n = 0; return { next: async () => ({ value: n, done: n++ > 2 }), async return () { log.push('r'); return {} } } } }; const log = []; for await (const x of o) { log.push(x); if (x === 1) break } return log
//# for_await_throw
try { for await (const x of [Promise.reject(new Error('y'))]) ; } catch (e) { return e.message }
//# map
const m = new Map([['a', 1]]); m.set(NaN, 2).set(0, 3); return [m.get('a'), m.get(NaN), m.get(-0), m.size, [...m], m.delete('a'), m.has('a'), m.get('x') === undefined]
//# map_object_keys
const a = {}, b = Object.freeze({}); const m = new Map([[a, 1], [b, 2], [Symbol.iterator, 3]]); return [m.get(a), m.get(b), m.get({}) === undefined, m.get(Symbol.iterator), Object.getOwnPropertySymbols(a).length]
//# map_iteration_mutation
const m = new Map([[1, 1], [2, 2], [3, 3]]); const seen = []; for (const [k] of m) { seen.push(k); if (k === 1) { m.delete(2); m.set(4, 4) } } return seen
//# map_readd
const m = new Map([[1, 'a'], [2, 'b']]); m.delete(1); m.set(1, 'c'); return [...m.keys()]
//# map_foreach
const out = []; new Map([[1, 2]]).forEach(function (v, k, m) { out.push(v, k, m.size, this.x) }, { x: 5 }); return out
//# map_clear_iteration
const m = new Map([[1, 1]]); const seen = []; m.forEach((v, k) => { seen.push(k); if (k < 3) { m.clear(); m.set(k + 1, 1) } }); return seen
//# map_not_new
try { Map() } catch (e) { return e.name }
//# map_bad_entry
try { return new Map([1]) } catch (e) { return e.name }
//# map_entries
const m = new Map(Object.entries({ a: 1 })); return [Object.fromEntries(m), [...m.entries()], [...m.values()]]
//# map_same_strings
const m = new Map(); m.set('1', 'text').set(1, 'number').set('true', 's').set(true, 'b').set('undefined', 'u').set(undefined, 'v').set('null', 'x').set(null, 'y').set('__proto__', 'p'); return [...m]
//# set
const s = new Set([1, 1, '1', NaN, NaN, 0, -0]); return [s.size, [...s].map(String), s.has('1'), s.delete(1), [...s.entries()].length, Object.is([...new Set([-0])][0], 0)]
//# set_order
const s = new Set('hello'); return [...s].join('')
//# weakmap
const w = new WeakMap(); const k = {}; w.set(k, 1); return [w.get(k), w.has({}), w.delete(k), w.has(k)]
//# weakmap_key
try { new WeakMap().set(1, 2) } catch (e) { return e.name }
//# weakset
const k = {}; const w = new WeakSet([k]); return [w.has(k), w.has({})]
//# symbol
const s = Symbol('d'); const o = { [s]: 1, a: 2 }; return [typeof s, s.description, o[s], Object.keys(o), JSON.stringify(o), s.toString(), Symbol.for('x') === Symbol.for('x')]
//# symbol_to_primitive
const o = { [Symbol.toPrimitive]: h => h === 'number' ? 5 : 'text' }; return [+o, `${o}`]
//# symbol_tag
class A { get [Symbol.toStringTag] () { return 'Q' } } return Object.prototype.toString.call(new A())
//# symbol_has_instance
const E = { [Symbol.hasInstance]: x => x === 2 }; return [2 instanceof E, 3 instanceof E]
//# iterator_protocol
const i = [1, 2][Symbol.iterator](); return [i.next(), i.next(), i.next(), i[Symbol.iterator]() === i]
//# array_entries
return [[...['a', 'b'].entries()], [...['a'].keys()], [...[5].values()]]
//# array_methods
const a = [3, 1, 2]; return [a.includes(1), a.find(x => x > 1), a.findIndex(x => x === 2), a.at(-1), a.findLast(x => x > 1), a.findLastIndex(x => x > 5), [NaN].includes(NaN), [NaN].indexOf(NaN)]
//# array_fill
return [new Array(3).fill(0), [1, 2, 3, 4].fill(9, 1, -1), [1, 2, 3, 4, 5].copyWithin(0, 3)]
//# array_flat
return [[1, [2, [3, [4]]]].flat(), [1, [2, [3]]].flat(Infinity), [1, 2].flatMap(x => [x, [x]])]
//# array_from
return [Array.from('ab'), Array.from({ length: 2 }, (_, i) => i), Array.from(new Set([1])), Array.of(7).length, Array.from([1, 2], function (x) { return x + this.n }, { n: 1 })]
//# array_sort_stable
const a = Array.from({ length: 50 }, (_, i) => ({ k: i % 3, i })); a.sort((x, y) => x.k - y.k); return a.map(x => x.i)
//# array_sort_default
return [[10, 9, 1, undefined, 'b', null].sort(), ['é', 'z', 'a', 'Z'].sort(), [3, , 1].sort().length]
//# array_sort_units
return ['\uffff', '😀', 'a'].sort()
//# array_sort_bad
try { [1].sort(5) } catch (e) { return e.name }
//# array_copying
const a = [3, 1, 2]; return [a.toSorted(), a.toReversed(), a.with(0, 9), a.toSpliced(1, 1), a]
//# array_splice
const a = [1, 2, 3, 4]; const r = a.splice(1, 2, 'x'); return [a, r, a.slice(-2), a.concat([5], 6), a.indexOf('x')]
//# array_reduce
return [[1, 2, 3].reduce((a, b) => a + b), [1, 2].reduceRight((a, b) => a + '-' + b), [].reduce((a, b) => a, 7)]
//# array_reduce_empty
try { [].reduce((a, b) => a) } catch (e) { return e.name }
//# array_holes
const a = [1, , 3]; return [a.length, 1 in a, a.map(x => x * 2).length, a.forEach.length, Object.keys(a), a.join('-')]
//# array_length
const a = [1, 2, 3]; a.length = 1; a[3] = 4; return [a.length, a]
//# array_negative_length
try { return new Array(-1) } catch (e) { return e.name }
//# array_index_of_from
return [[1, 2, 1].indexOf(1, 1), [1, 2, 1].lastIndexOf(1, 1), [1, 2].includes(1, 1)]
//# array_tostring
return [String([1, [2, 3]]), [1, 2] + '', [null, undefined].join()]
//# object_statics
const o = { b: 1, a: 2 }; return [Object.entries(o), Object.values(o), Object.fromEntries([['x', 1]]), Object.hasOwn(o, 'a'), Object.is(NaN, NaN), Object.is(0, -0)]
//# object_assign
return [Object.assign({ a: 1 }, { b: 2 }, null, 'xy'), Object.assign([1, 2], [3])]
//# object_key_order
const o = { b: 1, 2: 1, a: 1, 1: 1, '-1': 1, '01': 1 }; return [Object.keys(o), JSON.stringify(o)]
//# object_for_in_order
const out = []; for (const k in { z: 1, 1: 1, a: 1, 0: 1 }) out.push(k); return out
//# object_for_in_inherited
const out = []; const o = Object.create({ p: 1, q: 2 }); o.q = 3; o.r = 4; for (const k in o) out.push(k); return out
//# object_freeze
const o = Object.freeze({ a: 1 }); try { o.a = 2 } catch (e) { return [e.name, Object.isFrozen(o), o.a] }
//# object_define
const o = {}; Object.defineProperty(o, 'h', { value: 1 }); return [o.h, Object.keys(o), Object.getOwnPropertyDescriptor(o, 'h')]
//# object_descriptors
return Object.getOwnPropertyDescriptors({ a: 1, get b () { return 1 } }).a
//# object_proto
const o = { __proto__: { x: 1 } }; return [o.x, Object.keys(o), Object.getPrototypeOf(o).x, Object.create(null) instanceof Object]
//# object_proto_set
const o = {}; o.__proto__ = { y: 2 }; return [o.y, Object.keys(o)]
//# object_shadowing
const c = {}; for (const w of ['toString', 'constructor', 'x', 'toString']) c[w] = (typeof c[w] === 'number' ? c[w] : 0) + 1; return c
//# object_tostring
return [String({}), Object.prototype.toString.call([]), Object.prototype.toString.call(null), Object.prototype.toString.call(new Map()), Object.prototype.toString.call(() => {})]
//# object_group
return typeof Object.groupBy
//# string_methods
return ['abc'.padStart(5, 'xy'), 'abc'.padEnd(5), 'ab'.repeat(3), ' a '.trimStart(), ' a '.trimEnd(), 'abc'.at(-1), 'abc'.includes('b'), 'abc'.startsWith('b', 1), 'abc'.endsWith('b', 2)]
//# string_replace
return ['aXbX'.replace('X', '-'), 'aXbX'.replaceAll('X', '$&$&'), 'a.b.c'.replaceAll('.', '-'), 'abc'.replace(/b/, m => m.toUpperCase()), 'xx'.replaceAll('', '-'), 'aa'.replaceAll(/a/g, 'b')]
//# string_replace_patterns
return ['abc'.replace('b', "[$`|$&|$'|$$]"), 'abc'.replaceAll('b', "[$`|$&|$'|$$]"), 'John Smith'.replace(/(\w+)\s(\w+)/, '$2 $1')]
//# string_match
return ['a1b2'.match(/\d/g), 'a1b2'.match(/(\w)(\d)/).slice(), [...'a1b2'.matchAll(/[a-z](\d)/g)].map(m => [m[0], m[1], m.index]), 'abc'.search(/c/), 'x'.match(/y/)]
//# string_match_all_empty
return [...'ab'.matchAll(/x*/g)].map(m => m.index)
//# string_split
return ['a,b,c'.split(','), 'abc'.split(''), 'a1b'.split(/\d/), 'a1b'.split(/(\d)/), 'a,b,c'.split(',', 2), ''.split(''), ''.split(',')]
//# string_slices
return ['hello'.slice(-3, -1), 'hello'.substring(3, 1), 'hello'.substr(-3, 2), 'hello'.charAt(9), 'hello'[1]]
//# string_code_points
return ['😀'.codePointAt(0), String.fromCodePoint(128512), [...'a😀b'].length, '😀'.length, 'é'.charCodeAt(0)]
//# string_case
return ['ÄÖß'.toUpperCase(), 'ÀÉ'.toLowerCase(), 'abc' < 'abd', 'Z' < 'a']
//# string_trim
return ['\u00a0\ufeff a\n'.trim(), '\u2003x'.trimStart(), 'x\u3000'.trimEnd()]
//# string_well_formed
return ['a\ud800'.isWellFormed(), 'a\ud800b'.toWellFormed(), '😀'.isWellFormed()]
//# string_concat_numbers
return ['a' + 1, 1 + '2', '3' * '4', '5' - 2, +'', +' 7 ', +'x', 1 + null, 1 + undefined].map(String)
//# string_raw_index
return 'a-b_c'.split(/[-_]/).map((w, i) => i ? w[0].toUpperCase() + w.slice(1) : w).join('')
//# regex_basic
return [/a+/.exec('baaa')[0], /^\d{3}-\d{4}$/.test('555-1234'), /(a)|(b)/.exec('b').slice(), /x/i.test('X'), 'a\nb'.match(/^b$/m) !== null]
//# regex_last_index
const r = /a/g; const out = []; let m; while ((m = r.exec('aba'))) out.push(m.index); return [out, r.lastIndex]
//# regex_dot_all
return [/a.b/s.test('a\nb'), /a.b/.test('a\nb'), /[.]/s.test('x')]
//# regex_unicode
return [/^.$/u.test('😀'), /\u{1F600}/u.test('😀'), '😀x'.replace(/./gu, '-')]
//# regex_lookahead
return ['1234567'.replace(/\B(?=(\d{3})+(?!\d))/g, ','), /a(?!b)/.test('ab')]
//# regex_lazy
return '<a><b>'.match(/<.+?>/)[0]
//# regex_backreference
return [/(a)\1/.test('aa'), /(['"]).*?\1/.exec('say "hi"')[0]]
//# regex_classes
return ['a_1 ß-'.replace(/\W/g, '.'), 'a\tb c'.split(/\s/), /[^a-c]/.exec('abcd')[0], /[\]\-]/.test('-')]
//# regex_flags
return [/a/gim.flags, /a/.source, String(/a\/b/g), new RegExp('a/b').source]
//# regex_construct
return [new RegExp('a+', 'g').test('caa'), new RegExp(/x/g, 'i').flags, RegExp('\\d').test('5')]
//# regex_bad
try { return new RegExp('(') } catch (e) { return e.name }
//# number_statics
return [Number.isInteger(5.0), Number.isSafeInteger(2 ** 53), Number.EPSILON > 0, Number.parseFloat('1.5x'), Number.isNaN('x'), Number.MAX_SAFE_INTEGER]
//# number_format
return [(1.005).toFixed(2), (25).toString(36), (0.1 + 0.2).toString(), 1e21 + '', 1e-7 + '', (1234.5678).toFixed(1), (0.00001).toPrecision(1), (1e21).toFixed(2), (123.456).toExponential(1), (-1.5).toFixed(0)]
//# number_text
return [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, 123456789012345680000, 1e300, 100, 1e5, 0.000001].map(String)
//# number_parse
return [parseInt('12px'), parseInt('0x1f'), parseInt('z', 36), parseFloat('.5.'), Number('0b11'), Number('1_0'), Number(null), Number([5]), Number('1e3')].map(String)
//# number_bits
return [5 & 3, 5 | 3, 5 ^ 3, ~5, 1 << 31, -1 >>> 0, -9 >> 1, 2 ** 32 | 0]
//# number_modulo
return [-5 % 3, 5.5 % 2, 5 % 0, Object.is(-4 % 2, -0)].map(String)
//# number_big_loop
let s = 0; for (let i = 0; i < 1000; i++) s += i * 0.1; return s
//# math_exact
return [Math.trunc(-4.7), Math.sign(-3), Math.cbrt === undefined, Math.clz32(1), Math.imul(3, 4), Math.fround(5.5), Math.round(-0.5) === 0, Math.round(2.5), Math.sqrt(2), Math.abs(-1), Math.max(), Math.min(1, 2), Math.floor(-1.5), Math.ceil(1.2)].map(String).filter((x, i) => i !== 2)
//# json
return [JSON.stringify({ a: [1, { b: undefined, c: () => 1 }], d: new Date(0), e: NaN, f: 'é\n' }), JSON.stringify([undefined]), JSON.parse('{"a":[1,2]}', (k, v) => k === 'a' ? v.length : v)]
//# json_indent
return [JSON.stringify({ a: [1, 2], b: {} }, null, 2), JSON.stringify([1], null, '--'), JSON.stringify({ a: 1, b: 2 }, ['b'])]
//# json_to_json
return JSON.stringify({ toJSON () { return 5 } })
//# json_surrogates
return [JSON.stringify('\ud800'), JSON.stringify('😀\u2028')]
//# json_proto
const o = JSON.parse('{"__proto__": {"x": 1}}'); return [Object.keys(o), o.x === undefined]
//# json_bad
try { JSON.parse('{a:1}') } catch (e) { return e.name }
//# json_cycle
const a = []; a.push(a); try { JSON.stringify(a) } catch (e) { return e.name }
//# json_replacer
return JSON.stringify({ a: 1, b: 'x' }, (k, v) => typeof v === 'number' ? v + 1 : v)
//# date_parts
const d = new Date(2020, 1, 29, 12, 30, 15, 123); return [d.toISOString(), d.getDay(), d.getTimezoneOffset(), d.getTime(), d.getFullYear(), Date.UTC(2020, 0), JSON.stringify(d)]
//# date_texts
const d = new Date(1e12); return [String(d), d.toDateString(), d.toTimeString(), d.toUTCString(), String(new Date(NaN)), new Date(0) - 0, `${new Date(-1e14)}`]
//# date_parse
return ['2020-01-01', '2020-01-01T10:00', '2020-01-01T10:00:00.123Z', '2020-01-01T10:00:00+02:00', '2020-02-30', '2020-13-01', 'nonsense', '2020', '2020-06', '2020-01-01T24:00:00Z', 'Wed, 01 Jan 2020 00:00:00 GMT', '+012020-01-01'].map(t => String(new Date(t).getTime()))
//# date_set
const d = new Date(0); d.setMonth(13); d.setDate(0); d.setHours(25); return d.toISOString()
//# date_invalid
try { new Date(NaN).toISOString() } catch (e) { return e.name }
//# date_compare
return [new Date(1) < new Date(2), +new Date(5), new Date(new Date(7)).getTime(), typeof Date.now(), new Date('2020-01-01') instanceof Date]
//# error_properties
const e = new RangeError('m', { cause: 5 }); return [String(e), e.cause, Object.keys(e), e instanceof Error, e.constructor.name, 'cause' in new Error('x')]
//# error_native
const out = []; for (const f of [() => null.x, () => undefined(), () => { let a; a.b }, () => new Array(-1), () => decodeURIComponent('%'), () => [].x.y, () => ({}).f()]) { try { f() } catch (e) { out.push(e.name) } } return out
//# error_aggregate
const e = new AggregateError([1, 2], 'm'); return [e.errors, e.message, e.name, e instanceof Error]
//# error_name_assign
const e = new Error('a'); e.name = 'N'; return [String(e), Object.keys(e)]
//# uri
return [encodeURIComponent('é &😀'), decodeURIComponent('%F0%9F%98%80'), encodeURI('a b?é'), escape('ü'), unescape('%FC')]
//# typed_arrays
const u = new Uint8Array([1, 300, 3]); return [[...u], u.length, [...u.slice(1)], [...u.subarray(1)], u.join('-'), [...u.map(x => x * 2)], [...new Uint16Array(u.buffer.slice(0, 2))], u.indexOf(3), [...Uint8Array.from([5])], u instanceof Uint8Array]
//# typed_array_iterate
let s = 0; for (const b of new Uint8Array([1, 2])) s += b; return [s, [...new Uint8Array([5, 6]).entries()]]
//# typed_array_set
const u = new Uint8Array(4); u.set([1, 2], 1); u.fill(9, 3); u[9] = 1; return [[...u], u[9] === undefined, u.reverse().join()]
//# typed_array_sort
return [[...new Float64Array([3, -1, 2.5]).sort()], new Int16Array([1, 2]).reduce((a, b) => a + b)]
//# data_view
const v = new DataView(new ArrayBuffer(8)); v.setUint16(0, 258); v.setFloat32(4, 1.5, true); return [v.getUint8(0), v.getUint8(1), v.getUint32(4, true)]
//# text_encoder
return [...new TextEncoder().encode('aé😀')]
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
//# apply_array_like
return Math.max.apply(null, { length: 2, 0: 3, 1: 9 })
//# getter_on_prototype
const o = Object.create({ get v () { return this.k } }); o.k = 2; return o.v
//# global_this
return [typeof globalThis, globalThis.undefined === undefined, typeof globalThis.Object]
//# arguments_object
function f () { return [arguments.length, [...arguments], Array.from(arguments), Array.prototype.slice.call(arguments, 1)] } return f(1, 2)
//# numeric_keys
const o = {}; o[1.5] = 'a'; o[-0] = 'b'; o[1e21] = 'c'; return o
//# delete_array
const a = [1, 2]; delete a[0]; return [a.length, 0 in a]
//# in_operator_array
return [0 in [1], 'length' in [], 2 in [1]]
//# sequence_getters
const log = []; const o = { get a () { log.push('a'); return 1 }, get b () { log.push('b'); return 2 } }; o.a + o.b; return log
//# evaluation_order
const log = []; const f = x => { log.push(x); return x }; const o = {}; o[f('k')] = f('v'); f(1) + f(2) * f(3); return log
//# math_zero_signs
const sign = x => Object.is(x, -0) ? '-0' : String(x); return [Math.atan2(-0, -0), Math.atan2(-0, 0), Math.atan2(0, -0), Math.sin(-0), Math.tan(-0), Math.asin(-0), Math.atan(-0), Math.sinh(-0), Math.tanh(-0), Math.cbrt(-0), Math.expm1(-0), Math.log1p(-0), Math.round(-0.2), Math.ceil(-0.5), Math.trunc(-0.5), Math.max(-0, 0), Math.min(0, -0), Math.sqrt(-0), (-0) ** 3, (-0) ** -3, (-0) ** 2, Math.pow(-0, -2), Math.hypot(-0), Math.fround(-0), Math.sign(-0), Math.abs(-0)].map(sign)
//# math_arguments
return [Math.max(1, '3', null), Math.hypot(3, 4, 12), Math.hypot(), Math.hypot(NaN, Infinity), Math.pow('2', '3'), Math.atan2('1', 1), Math.exp(), Math.log('x'), 2 ** '3', Math.sqrt('16')].map(String)
//# holes_rest
const l = [1, , 3, , 5]; const [a, ...r] = l; let s; [, ...s] = l; return [0 in r, 2 in r, 0 in s, r.length]
//# holes_spread
const l = [1, , 3]; const s = [...l]; return [1 in s, 1 in [...[1, , 3]], Math.max(...l), (x => x.length)([...l, ...l])]
//# join_cycle
const l = [1]; l.push(l, [l, 2]); const o = { toString () { return l.join('-') } }; return [String(l), l.join(':'), [o, l] + '']
//# generator_default_local
function * g (x, y = 5) { var z = y; var { w = 1 } = {}; yield z + w } return [...g(1)]
//# index_of_holes
const l = [, undefined]; return [l.indexOf(undefined), l.includes(undefined), l.findIndex(x => x === undefined)]
//# find_changed
const a = [1, 2]; return [a.find(x => a.unshift(7)), a.findLast(x => a.unshift(8)), a]
//# declared_in_blocks
function f (a) { var a; function a2 () { return 1 } function a2 () { return 2 } { function a2 () { return 3 } } return a2() } try { throw 1 } catch (e) { var e = 2 } { let x = 1; { let x = 2 } } return [f(1), e === undefined]
//# number_bases
const out = []; for (const x of [1e21, 2 ** 60, 0.1, 1 / 3, 123.456, -255.5, 5e-324, 1e300, 2 ** 53, 0.5, 35.999999999999996]) for (const b of [2, 3, 7, 16, 36]) out.push(x.toString(b)); return [out, NaN.toString(2), (255).toString('16'), (-0).toString(2), [1, 37].map(b => { try { return (1).toString(b) } catch (e) { return e.name } })]
