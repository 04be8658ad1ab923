/**
 * Package registry
 *
 * A package belongs to its maintainers, participants all; the first to publish a name is the first
 * of them. Versions are semantic, only grow within a package, and never change once published: a
 * bad one is marked as yanked with its reason, and stays. Who depends on a version can therefore
 * rely on its hash for ever.
 */

import assert from 'assert'
import { index } from 'contract'

// methods
// =

export async function info ({ name }) {
  return (await index.get(`/packages/${checkedName(name)}`))?.value ?? null
}

export async function versions ({ name, limit = 50, offset = 0 }) {
  const entries = await index.list(`/versions/${checkedName(name)}`, { reverse: true, limit, offset })
  return entries.map(entry => entry.value)
}

export async function resolve ({ name, range = '*' }) {
  const bounds = parseRange(range)
  for (const entry of await index.list(`/versions/${checkedName(name)}`, { reverse: true, limit: 1000 })) {
    const { version, hash, yanked } = entry.value
    if (yanked === undefined && bounds(parse(version))) return { version, hash }
  }
  return null
}

export function publish ({ name, version, hash, dependencies = {} }, emit) {
  emit({ op: 'PUBLISH', ...checkedRelease({ name, version, hash, dependencies }) })
}

export function yank ({ name, version, reason }, emit) {
  parse(version)
  emit({ op: 'YANK', name: checkedName(name), version, reason: checkedReason(reason) })
}

export function maintainer ({ name, pubkey, remove = false }, emit) {
  emit({ op: 'MAINTAINER', name: checkedName(name), pubkey, remove })
}

// transaction handler
// =

export const apply = {
  async PUBLISH (tx, op, ack) {
    const { name, version, hash, dependencies } = checkedRelease(op)
    const parts = parse(version)
    const known = (await index.get(`/packages/${name}`))?.value
    if (known !== undefined) {
      needMaintainer(known, ack)
      assert(compare(parts, parse(known.latest)) > 0, `${version} does not follow ${known.latest}`)
    }
    for (const [other, range] of Object.entries(dependencies)) {
      assert(other !== name, 'a package does not depend on itself')
      assert(await resolve({ name: other, range }), `nothing published satisfies ${other} ${range}`)
    }
    const first = { name, maintainers: [ack.origin], created: ack.ts, releases: 0 }
    const { releases, ...rest } = known ?? first
    tx.put(`/packages/${name}`, { ...rest, latest: version, releases: releases + 1 })
    const release = { version, hash, dependencies, publisher: ack.origin, published: ack.ts }
    tx.put(`/versions/${name}/${key(parts)}`, release)
  },

  async YANK (tx, op, ack) {
    const name = checkedName(op.name)
    needMaintainer(await existing(name), ack)
    const path = `/versions/${name}/${key(parse(op.version))}`
    const release = (await index.get(path))?.value
    assert(release !== undefined, 'there is no such version')
    assert(release.yanked === undefined, 'it is yanked already')
    tx.put(path, { ...release, yanked: { by: ack.origin, at: ack.ts, reason: checkedReason(op.reason) } })
  },

  async MAINTAINER (tx, op, ack) {
    const known = await existing(checkedName(op.name))
    needMaintainer(known, ack)
    assert.match(op.pubkey, /^[0-9a-f]{64}$/, 'pubkey is 64 hex digits')
    const others = known.maintainers.filter(pubkey => pubkey !== op.pubkey)
    const maintainers = op.remove ? others : [...others, op.pubkey].sort()
    assert(maintainers.length > 0, 'a package keeps one maintainer')
    assert(maintainers.length <= 20, 'a package has at most 20 maintainers')
    tx.put(`/packages/${op.name}`, { ...known, maintainers })
  }
}

async function existing (name) {
  const known = (await index.get(`/packages/${name}`))?.value
  assert(known !== undefined, 'there is no such package')
  return known
}

function needMaintainer (known, ack) {
  assert(known.maintainers.includes(ack.origin), 'only maintainers change a package')
}

function checkedName (name) {
  assert.match(name, /^[a-z][a-z0-9-]{0,63}$/, 'a name begins with a letter and has a-z, 0-9 and -')
  return name
}

function checkedReason (reason) {
  assert(typeof reason === 'string' && reason.length > 0 && reason.length <= 500, 'a reason is given')
  return reason
}

function checkedRelease ({ name, version, hash, dependencies }) {
  parse(version)
  assert.match(hash, /^[0-9a-f]{64}$/, 'hash is the SHA-256 of the package, 64 hex digits')
  assert(Object.keys(dependencies).length <= 50, 'a package has at most 50 dependencies')
  for (const [other, range] of Object.entries(dependencies)) {
    checkedName(other)
    parseRange(range)
  }
  return { name: checkedName(name), version, hash, dependencies }
}

// versions
// =

function parse (version) {
  assert.match(version, /^(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})$/, 'a version is like 1.2.3')
  return version.split('.').map(Number)
}

function compare (a, b) {
  for (let i = 0; i < 3; i++) {
    if (a[i] !== b[i]) return a[i] - b[i]
  }
  return 0
}

/** Orders in the index as versions do. */
function key (parts) {
  return parts.map(part => String(part).padStart(6, '0')).join('.')
}

/** `*`, `1.2.3`, `>=1.2.3`, `~1.2.3` (the same minor), `^1.2.3` (the same major). */
function parseRange (range) {
  if (range === '*') return () => true
  const [, operator, text] = /^(>=|~|\^)?(.*)$/.exec(range)
  const low = parse(text)
  if (operator === undefined) return parts => compare(parts, low) === 0
  const same = { '>=': 0, '~': 2, '^': low[0] > 0 ? 1 : 2 }[operator]
  return parts => compare(parts, low) >= 0 && parts.slice(0, same).every((part, i) => part === low[i])
}
