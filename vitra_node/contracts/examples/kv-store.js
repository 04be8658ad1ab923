/**
 * Key-value store
 *
 * Every participant may set and delete any entry.
 */

import assert from 'assert'
import { index } from 'contract'

// methods
// =

export async function get ({ path }) {
  assert(typeof path === 'string', 'path is a text')
  return await index.get(path)
}

export async function list ({ path = '/', ...options } = {}) {
  return await index.list(path, options)
}

export function put ({ path, value }, emit) {
  assert(typeof path === 'string', 'path is a text')
  assert(value !== undefined, 'value is given')
  emit({ op: 'PUT', path, value })
}

export function del ({ path }, emit) {
  assert(typeof path === 'string', 'path is a text')
  emit({ op: 'DEL', path })
}

// transaction handler
// =

export const apply = {
  PUT (tx, op) {
    tx.put(op.path, op.value)
  },

  DEL (tx, op) {
    tx.delete(op.path)
  }
}
