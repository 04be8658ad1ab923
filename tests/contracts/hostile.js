// Programs that try to run for ever, take everything, get out, or leave something behind.

import { index } from 'contract'

export function loop () { for (;;) ; }
export async function asyncLoop () { for (;;) await null }
export function recursion () { const f = () => f(); f() }
export function regex () { return /^(\w+\s?)*$/.test('aaaaaaaaaaaaaaaaaaaaaaaaaaaa !'.repeat(20)) }
export function memory () { const a = []; for (;;) a.push(new Array(1000).fill('x')) }
export function strings () { let s = 'x'; for (;;) s += s }
export function fine () { return 'fine' }

const deep = n => n === 0 ? 0 : 1 + deep(n - 1)
const chain = f => { try { return String(f()) } catch (e) { return e.name } }
const nothing = () => {}

export const apply = {
  FINE (tx) { tx.put('/fine', 1) },
  LOOP (tx) { tx.put('/a', 1); for (;;) ; },
  WHILE () { while (true) {} },
  DO () { do {} while (true) },
  OF () { for (const x of { [Symbol.iterator]: () => ({ next: () => ({ done: false }) }) }) {} },
  TAIL () { const f = () => f(); f() },
  MUTUAL () { const f = () => g(); const g = () => f(); f() },
  async ASYNC () { for (;;) await null },
  MICROTASKS () { const f = () => Promise.resolve().then(f); return f() },
  QUEUE () { const f = () => queueMicrotask(f); f() },
  GENERATOR () { function * g () { for (;;) yield 1 } for (const x of g()) {} },
  MAP () { const a = []; a.length = 4e9; a.map(x => x) },
  FILL () { new Array(4e9 - 1).fill(0) },
  JOIN () { new Array(4e9 - 1).join('x') },
  INDEX () { new Array(4e9 - 1).indexOf(1) },
  SORT () { for (;;) [3, 1, 2].sort((a, b) => a - b) },
  REPEAT () { for (;;) 'x'.repeat(1e6) },
  JSON () { const a = 'x'.repeat(1e6); for (;;) JSON.stringify(a) },
  COPIES (tx) { const a = new Array(1000).fill(1); for (;;) tx.put('/a', a) },
  async READS () { for (;;) await index.get('/a') },
  NAMES () { const o = {}; for (let i = 0; ; i++) o[i] = i },
  CATCH () { try { for (;;) ; } catch (e) { return } },
  CATCH_AGAIN () { for (;;) try { for (;;) ; } catch {} },
  FINALLY () { try { for (;;) ; } finally { return } },
  FINALLY_LOOP () { for (;;) { try { for (;;) ; } finally { continue } } },
  async CATCH_ASYNC () { try { for (;;) await null } catch { return } },
  CATCH_PROMISE () { return new Promise(() => { for (;;) ; }).catch(nothing) },
  THEN () { return Promise.resolve().then(() => { for (;;) ; }).catch(nothing) },
  CATCH_GENERATOR () { function * g () { try { for (;;) ; } catch { yield 1 } } return [...g()] },
  CATCH_PUT (tx) { tx.put('/a', 1); try { for (;;) ; } catch {} tx.put('/b', 2) },
  TO_STRING () { throw { toString () { for (;;) ; } } },
  TO_JSON () { JSON.stringify({ toJSON () { for (;;) ; } }) },
  GETTER (tx) { tx.put('/a', { get x () { for (;;) ; } }) },
  THENABLE () { return { then () { for (;;) ; } } },
  MODULE_STATE () { nothing.count = (nothing.count || 0) + 1; if (nothing.count > 1) throw new Error('kept') },

  RECURSION (tx) { let n = 0; const f = () => { n++; return 1 + f() }; try { f() } catch (e) { tx.put('/r', [e.name, n > 1000]) } },
  RECURSION_NATIVE (tx) { const f = () => [1].map(f); try { f() } catch (e) { tx.put('/r', e.name) } },
  async RECURSION_ASYNC (tx) { const f = async () => { await f() }; try { await f() } catch (e) { tx.put('/r', e.name) } },
  RECURSION_GENERATOR (tx) { function * g () { yield * g() } try { g().next() } catch (e) { tx.put('/r', e.name) } },
  async WAITING (tx) { const all = []; for (let i = 0; i < 2001; i++) all.push((async () => { await all })().catch(() => {})); await null },
  STRING_BOMB (tx) { try { 'x'.repeat(1e9) } catch (e) { tx.put('/r', e.name) } },
  PAD_BOMB (tx) { try { 'x'.padEnd(1e9) } catch (e) { tx.put('/r', e.name) } },
  BUFFER_BOMB (tx) { try { new Uint8Array(1e9) } catch (e) { tx.put('/r', e.name) } },
  CHANGES (tx) { try { for (let i = 0; ; i++) tx.put(`/c/${i}`, i) } catch (e) { for (let i = 1; i < 4096; i++) tx.delete(`/c/${i}`); tx.put('/c/0', e.message) } },
  CHANGE_BYTES (tx, op) { for (let i = 0; ; i++) tx.put(`/c/${i}`, op.text) },
  LIST () { let l; for (;;) l = { l } },
  OBJECTS () { const a = []; for (;;) a.push({}) },
  CLOSURES () { const a = []; for (;;) a.push(() => a) },
  MEMORY () { const a = []; for (a.s = 'x'; ;) a.s += a.s },
  MEMORY_CATCH () { const a = []; try { for (a.s = 'x'; ;) a.s += a.s } catch { a.s = '' } },
  MEMORY_FINALLY () { const a = []; try { for (a.s = 'x'; ;) a.s += a.s } finally { a.s = ''; return } },
  MEMORY_IN_CATCH () { const a = []; try { throw 1 } catch { for (a.s = 'x'; ;) a.s += a.s } finally { a.s = ''; return } },
  async MEMORY_PROMISE () { await Promise.resolve().then(() => { const a = []; for (a.s = 'x'; ;) a.s += a.s }).catch(nothing) },
  REGEX () { /^(a|a?)+$/.test('a'.repeat(40) + 'b') },

  ESCAPES (tx, op, ack) {
    tx.put('/escapes', {
      constructor: chain(() => nothing.constructor('return this')()),
      chain: chain(() => tx.put.constructor.constructor('return this')()),
      async: chain(() => (async () => {}).constructor('return 1')()),
      generator: chain(() => (function * () {}).constructor('return 1')()),
      error: chain(() => { try { null.x } catch (e) { return e.constructor.constructor('return 1')() } }),
      index: chain(() => index.get.constructor('return 1')()),
      bind: chain(() => nothing.bind(null).constructor('return 1')()),
      getter: chain(() => Object.getOwnPropertyDescriptor(Map.prototype, 'size').get.constructor('return 1')()),
      caller: chain(() => nothing.caller),
      callee: chain(() => (function () { return arguments.callee })()),
      stack: chain(() => new Error('x').stack),
      fileName: chain(() => new Error('x').fileName),
      globals: Object.getOwnPropertyNames(globalThis).filter(n => /duktape|python|dukpy|require|process|^eval$|reflect|proxy|buffer$|vitra/i.test(n)).sort(),
      symbols: [new Map(), Promise.resolve(), [][Symbol.iterator](), (function * () {})()].map(o => Object.getOwnPropertySymbols(o).length),
      thread: chain(() => (function * () {})().next.constructor.prototype.resume),
      source: chain(() => tx.put.toString())
    })
  },
  POLLUTE (tx) {
    const done = []
    const attempt = (name, f) => { try { f(); done.push(name) } catch {} }
    attempt('Object.prototype', () => { Object.prototype.polluted = 1 })
    attempt('Array.prototype', () => { Array.prototype.push = nothing })
    attempt('Array.prototype.delete', () => { delete Array.prototype.map })
    attempt('String.prototype', () => { String.prototype.x = 1 })
    attempt('Promise.prototype', () => { Promise.prototype.then = nothing })
    attempt('Map.prototype', () => { Map.prototype.get = nothing })
    attempt('Math', () => { Math.floor = nothing })
    attempt('JSON', () => { JSON.stringify = nothing })
    attempt('Error.prototype', () => { Error.prototype.name = 'x' })
    attempt('Error.prototype.stack', () => { Error.prototype.stack = 'x' })
    attempt('Object', () => { Object.keys = nothing })
    attempt('globalThis', () => { globalThis.kept = 1 })
    attempt('globalThis.Object', () => { globalThis.Object = nothing })
    attempt('globalThis.define', () => { Object.defineProperty(globalThis, 'kept', { value: 1 }) })
    attempt('globalThis.delete', () => { delete globalThis.Map })
    attempt('setPrototypeOf', () => { Object.setPrototypeOf(Object.prototype, { polluted: 1 }) })
    attempt('setPrototypeOf array', () => { Object.setPrototypeOf(Array.prototype, null) })
    attempt('__proto__', () => { ({}).__proto__.polluted = 1 })
    attempt('defineProperty', () => { Object.defineProperty(Object.prototype, 'polluted', { value: 1 }) })
    attempt('defineGetter', () => { Object.prototype.__defineGetter__('polluted', () => 1) })
    attempt('iterator', () => { [][Symbol.iterator]().__proto__.next = nothing })
    attempt('generator', () => { (function * () {})().__proto__.next = nothing })
    attempt('function', () => { nothing.__proto__.call = nothing })
    attempt('index', () => { index.get = nothing })
    attempt('tx', () => { tx.put = nothing })
    attempt('console', () => { console.log = nothing })
    attempt('symbol', () => { Symbol.prototype.x = 1 })
    attempt('regexp', () => { RegExp.prototype.exec = nothing })
    attempt('date', () => { Date.now = nothing })
    attempt('typed', () => { Uint8Array.prototype.set = nothing })
    tx.put('/polluted', done)
  },
  CLEAN (tx) {
    tx.put('/clean', [({}).polluted === undefined, typeof [].push, typeof Promise.resolve().then,
      typeof globalThis.kept, typeof Object.keys, new Error('m').name, Math.floor(1.5), typeof tx.put])
  }
}
