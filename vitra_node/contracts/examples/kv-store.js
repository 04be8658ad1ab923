/**
 * Key-value store
 *
 * Every participant may set and delete any key. Keys may have levels: `users/ann/mail`.
 */

import { index } from 'contract'
import { ok } from 'assert'

const ROOT = '/values'

function pathOf (key) {
  ok(typeof key === 'string' && key.length > 0, 'A key is a text that is not empty')
  return `${ROOT}/${key}`
}

// database api
// =

export async function get ({ key }) {
  const entry = await index.get(pathOf(key))
  return entry?.value ?? null
}

export async function list ({ prefix = '', limit = 100 } = {}) {
  const entries = await index.list(prefix ? pathOf(prefix) : ROOT, { limit })
  return entries.map(({ name, container, value }) => ({ name, container, value }))
}

export function put ({ key, value }, emit) {
  ok(value !== undefined, 'A value is needed; use del to remove a key')
  pathOf(key)
  emit({ op: 'PUT', key, value })
}

export function del ({ key }, emit) {
  pathOf(key)
  emit({ op: 'DEL', key })
}

// transaction handlers
// =

export const apply = {
  PUT (tx, { key, value }) {
    tx.put(pathOf(key), value)
  },

  DEL (tx, { key }) {
    tx.delete(pathOf(key))
  }
}
