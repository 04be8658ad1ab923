// Does what it is told, for tests of what contracts may do.

import assert from 'assert'
import { index, listOplogs, isWriter, oplog } from 'contract'
import { genUUID } from 'util'

let count = 0
function state () { state.count = (state.count || 0) + 1; return [++count, state.count] }

export async function read ({ path }) { return await index.get(path) }
export async function list ({ path, options }) { return await index.list(path, options) }
export function echo (params) { return params }
export function emitAll ({ ops }, emit) { for (const op of ops) emit(op) }
export function emitCopy (_, emit) { const op = { a: 1 }; emit(op); op.a = 2; emit(op) }
export function emitNothing (_, emit) { emit() }
export function nothing () {}
export function fails ({ text }) { throw new RangeError(text) }
export const throws = async ({ value }) => { throw value }
export async function rejects () { await null; throw new Error('late') }
export function never () { return new Promise(() => {}) }
export function unheard () { Promise.reject(new Error('nobody listens')) }
export async function members () { return [await listOplogs(), await isWriter(), await oplog.getInfo()] }
export function random () { return [Math.random(), Math.random(), genUUID(), Date.now()] }
export function called () { return state() }
export function badResponse () { return { f () {} } }
export const notAFunction = [1]
export function late (_, emit) { Promise.resolve().then(() => emit({ op: 'LATE' })) }

const inside = { async members () { return await listOplogs() } }

export function process (op) {
  if (op.process === 'throw') throw new Error('no metadata')
  if (op.process === 'function') return () => {}
  if (op.process === 'mutate') op.op = 'NOTHING'
  return op.metadata
}

export const apply = {
  async STEPS (tx, op, ack) {
    for (const [name, ...args] of op.steps) await steps[name](tx, ...args)
  },
  SYNC (tx, op) { tx.put(op.path, op.value) },
  ACK (tx, op, ack) { tx.put('/ack', ack) },
  STATE (tx) { tx.put('/state', state()) },
  NOW (tx) { tx.put('/now', [Date.now(), new Date().toISOString(), new Date(0).getTimezoneOffset()]) },
  LATE (tx) { tx.put('/before', 1); Promise.resolve().then(() => tx.put('/after', 2)) },
  NEVER () { return new Promise(() => {}) },
  UNHEARD (tx) { tx.put('/x', 1); Promise.reject(new TypeError('unheard')) },
  HEARD (tx) { const p = Promise.reject(1); p.catch(() => tx.put('/x', 1)); return p.catch(() => {}) },
  KEEP (tx, op) { steps.kept = tx; kept = tx },
  THROW (tx, op) { tx.put('/never', 1); throw op.value },
  EMIT (tx, op) { emit({}) },
  MEMBERS: async tx => tx.put('/members', await inside.members()),
  WRITER: () => isWriter(),
  RANDOM () { return Math.random() },
  UUID () { return genUUID() },
  NOTHING () {},
  notCallable: 5
}
let kept
function emit () { throw new Error('not here') }

const steps = {
  put (tx, path, value) { tx.put(path, value) },
  putUndefined (tx, path) { tx.put(path, undefined) },
  putLater (tx, path) { const v = { a: [1] }; tx.put(path, v); v.a.push(2) },
  delete (tx, path) { tx.delete(path) },
  async copy (tx, from, to) { const e = await index.get(from); tx.put(to, e === undefined ? 'none' : e.value) },
  async entry (tx, from, to) { tx.put(to, await index.get(from) ?? 'none') },
  async mutate (tx, from, to) { const e = await index.get(from); e.value.changed = true; tx.put(to, (await index.get(from)).value) },
  async names (tx, from, to, options) { tx.put(to, (await index.list(from, options)).map(e => [e.name, e.container, e.value])) },
  queued (tx, path, to) { tx.put(to, tx.get(path) ?? 'none') },
  add (tx, pubkey) { tx.addOplog({ pubkey }) },
  remove (tx, pubkey) { tx.removeOplog({ pubkey }) },
  source (tx, code) { tx.setContractSource({ code }) },
  attempt (tx, name, ...args) { try { steps[name](tx, ...args) } catch (e) { tx.put('/caught', `${e.name}: ${e.message}`) } },
  eval (tx, to, key) { tx.put(to, values[key]()) }
}

const values = {
  nan: () => NaN,
  infinity: () => [Infinity],
  fn: () => ({ f () {} }),
  symbol: () => Symbol('x'),
  half: () => 'a\ud800',
  halfKey: () => ({ '\udc00': 1 }),
  pair: () => '\ud83d' + '\ude00',
  cycle: () => { const a = {}; a.a = a; return a },
  promise: () => Promise.resolve(1),
  regex: () => /x/,
  error: () => new Error('x'),
  invalidDate: () => new Date(NaN),
  badMap: () => new Map([[1, 2]]),
  map: () => new Map([['a', new Set([1, 2])]]),
  date: () => new Date(1655000000123),
  bytes: () => new Uint8Array([0, 255]),
  buffer: () => new Uint8Array([7]).buffer,
  dollars: () => ({ $: ['b', 'eA=='], $$: 1, $a: 2 }),
  proto: () => JSON.parse('{"__proto__": {"x": 1}, "y": 2}'),
  undefinedInside: () => ({ a: undefined, b: [undefined] }),
  instance: () => new (class A { x = 1; get y () { return 2 } })(),
  negativeZero: () => -0,
  large: () => [2 ** 53, 2 ** 60, 1e300, 0.1, 5e-324, -1.5],
  long: () => 'x'.repeat(2097153),
  many: () => new Array(300000).fill(0)
}
