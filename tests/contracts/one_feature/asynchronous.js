// One-feature programs on generators, promises and async functions; see snippets.py.

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
//# generator_default_local
function * g (x, y = 5) { var z = y; var { w = 1 } = {}; yield z + w } return [...g(1)]
//# for_await_turns
const out = []; const p = (async () => { for (let i = 0; i < 12; i++) { out.push(i); await null } })(); for await (const x of [1, Promise.resolve(2), { then (r) { r(3) } }]) out.push('v' + x); out.push('end'); await p; return out
//# for_await_turns_of_break
const out = []; const p = (async () => { for (let i = 0; i < 8; i++) { out.push(i); await null } })(); function * g () { try { yield 1; yield 2 } finally { out.push('closed') } } for await (const x of g()) { out.push('v' + x); break } for await (const x of [3]) break; out.push('end'); await p; return out
//# for_await_turns_of_errors
const out = []; const p = (async () => { for (let i = 0; i < 9; i++) { out.push(i); await null } })(); function * g () { yield 1; throw new RangeError('x') } try { for await (const x of g()) out.push(x) } catch (e) { out.push(e.name) } try { for await (const x of [1, Promise.reject(new Error('q'))]) out.push('v' + x) } catch (e) { out.push(e.message) } await p; return out
//# for_await_steps_are_objects
const o = { [Symbol.asyncIterator] () { let n = 0; return { next () { return { value: n++, done: n > 3 } }, return () { return 5 } } } }; const i = { [Symbol.iterator]: () => ({ next: () => 5 }) }; const out = []; try { for await (const x of o) { out.push(x); if (x === 1) break } } catch (e) { out.push(e.name) } try { for await (const x of i) out.push(x) } catch (e) { out.push(e.name) } return out
