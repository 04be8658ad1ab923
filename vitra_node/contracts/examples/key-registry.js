/**
 * User-key registry
 *
 * A user belongs to the participant that registered the name. The key in force signs for the user
 * until it is rotated: the next key was promised when the present one was set, as its hash, so who
 * steals the present key cannot choose the next one. Keys that were in force stay on record and
 * never come back; a rotation is possible once an hour. A revoked user stays revoked.
 */

import assert from 'assert'
import { index, isWriter } from 'contract'

const HOUR = 60 * 60 * 1000

// methods
// =

export async function get ({ name }) {
  return (await index.get(`/users/${checked(name)}`))?.value ?? null
}

export async function keys ({ name }) {
  const used = await index.list(`/keys/${checked(name)}`)
  return used.map(entry => ({ key: entry.name, ...entry.value }))
}

export async function users ({ after, limit = 100 } = {}) {
  const entries = await index.list('/users', { gt: after, limit })
  return entries.map(entry => entry.name)
}

export async function register ({ name, key, next }, emit) {
  await mayWrite()
  emit({ op: 'REGISTER', name: checked(name), key: checkedKey(key), next: checkedKey(next) })
}

export async function rotate ({ name, key, next }, emit) {
  await mayWrite()
  emit({ op: 'ROTATE', name: checked(name), key: checkedKey(key), next: checkedKey(next) })
}

export async function revoke ({ name }, emit) {
  await mayWrite()
  emit({ op: 'REVOKE', name: checked(name) })
}

// transaction handler
// =

export const apply = {
  async REGISTER (tx, op, ack) {
    const path = `/users/${checked(op.name)}`
    assert(await index.get(path) === undefined, 'the name is taken')
    put(tx, path, op, { owner: ack.origin, version: 1 }, ack)
  },

  async ROTATE (tx, op, ack) {
    const path = `/users/${checked(op.name)}`
    const user = await owned(path, ack)
    assert(ack.ts - user.since >= HOUR, 'a key is rotated at most once an hour')
    assert(hash(checkedKey(op.key)) === user.next, 'this is not the key that was promised')
    const used = await index.get(`/keys/${op.name}/${op.key}`)
    assert(used === undefined, 'a key that was in force never comes back')
    put(tx, path, op, { owner: user.owner, version: user.version + 1 }, ack)
  },

  async REVOKE (tx, op, ack) {
    const path = `/users/${checked(op.name)}`
    const user = await owned(path, ack)
    tx.put(path, { ...user, revoked: ack.ts })
  }
}

function put (tx, path, op, user, ack) {
  tx.put(path, { ...user, key: checkedKey(op.key), next: checkedKey(op.next), since: ack.ts })
  tx.put(`/keys/${op.name}/${op.key}`, { version: user.version, since: ack.ts })
}

async function owned (path, ack) {
  const user = (await index.get(path))?.value
  assert(user !== undefined, 'there is no such user')
  assert(user.owner === ack.origin, 'only the owner of a name changes it')
  assert(user.revoked === undefined, 'the user was revoked')
  return user
}

async function mayWrite () {
  assert(await isWriter(), 'only participants register keys')
}

function checked (name) {
  assert.match(name, /^[a-z0-9][a-z0-9_-]{0,31}$/, 'a name has 1 to 32 of a-z, 0-9, - and _')
  return name
}

function checkedKey (key) {
  assert.match(key, /^[0-9a-f]{64}$/, 'a key is 64 hex digits')
  return key
}

/** SHA-256 of a key's 32 bytes, as hex. */
export function hash (key) {
  const { start, rounds } = tables()
  const message = [...checkedKey(key).match(/../g).map(hex => parseInt(hex, 16)), 0x80]
  while (message.length < 62) message.push(0)
  message.push(1, 0)
  const w = []
  for (let i = 0; i < 64; i += 4) {
    w.push(message[i] << 24 | message[i + 1] << 16 | message[i + 2] << 8 | message[i + 3])
  }
  const right = (x, n) => x >>> n | x << (32 - n)
  for (let i = 16; i < 64; i++) {
    const a = w[i - 15]
    const b = w[i - 2]
    const s0 = right(a, 7) ^ right(a, 18) ^ a >>> 3
    const s1 = right(b, 17) ^ right(b, 19) ^ b >>> 10
    w.push(w[i - 16] + s0 + w[i - 7] + s1 | 0)
  }
  let [a, b, c, d, e, f, g, h] = start
  for (let i = 0; i < 64; i++) {
    const s1 = right(e, 6) ^ right(e, 11) ^ right(e, 25)
    const t1 = h + s1 + (e & f ^ ~e & g) + rounds[i] + w[i] | 0
    const s0 = right(a, 2) ^ right(a, 13) ^ right(a, 22)
    const t2 = s0 + (a & b ^ a & c ^ b & c) | 0;
    [a, b, c, d, e, f, g, h] = [t1 + t2 | 0, a, b, c, d + t1 | 0, e, f, g]
  }
  const words = [a, b, c, d, e, f, g, h].map((word, i) => word + start[i] >>> 0)
  return words.map(word => word.toString(16).padStart(8, '0')).join('')
}

// The first 32 bits of the fractions of the roots of primes.
const fraction = x => (x - Math.floor(x)) * 4294967296 | 0

function tables () {
  const primes = []
  for (let n = 2; primes.length < 64; n++) {
    if (primes.every(prime => n % prime !== 0)) primes.push(n)
  }
  return {
    start: primes.slice(0, 8).map(prime => fraction(Math.sqrt(prime))),
    rounds: primes.map(prime => fraction(Math.cbrt(prime)))
  }
}
