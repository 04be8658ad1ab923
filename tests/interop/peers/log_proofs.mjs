// What a log proves: chapters 1, 4, 10.7 and 10b of the specification, written from their text alone.
// It shares no code with the program whose proofs it checks.

import sodium from 'sodium-universal'

const MAX_INTEGER = Number.MAX_SAFE_INTEGER

export class Rejected extends Error {}

export function need (holds, reason) {
  if (!holds) throw new Rejected(reason)
}

// Chapter 1 ----------------------------------------------------------------------------------------

export class Reader {
  constructor (bytes) {
    this.bytes = bytes
    this.at = 0
  }

  fixed (count) {
    need(count <= this.bytes.length - this.at, 'the end is missing')
    this.at += count
    return this.bytes.subarray(this.at - count, this.at)
  }

  uint () {
    const first = this.fixed(1)[0]
    if (first < 0xfd) return first
    if (first === 0xfd) return this.fixed(2).readUInt16LE()
    if (first === 0xfe) return this.fixed(4).readUInt32LE()
    const value = this.fixed(8).readBigUInt64LE()
    need(value <= BigInt(MAX_INTEGER), 'an integer is too large')
    return Number(value)
  }

  array (read) {
    const count = this.uint()
    need(count <= this.bytes.length - this.at, 'more items than bytes')
    return Array.from({ length: count }, read)
  }

  end () {
    need(this.at === this.bytes.length, 'bytes follow')
  }
}

function uint (value) {
  if (value < 0xfd) return Buffer.from([value])
  const [mark, size] = value < 2 ** 16 ? [0xfd, 2] : value < 2 ** 32 ? [0xfe, 4] : [0xff, 8]
  const bytes = Buffer.alloc(9)
  bytes[0] = mark
  bytes.writeBigUInt64LE(BigInt(value), 1)
  return bytes.subarray(0, 1 + size)
}

function u64 (value) {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

function array (items) {
  return Buffer.concat([uint(items.length), ...items])
}

// 4.1, 4.2 -----------------------------------------------------------------------------------------

function hash (...parts) {
  const out = Buffer.alloc(32)
  sodium.crypto_generichash_batch(out, parts)
  return out
}

function namespace (name, number) {
  return hash(hash(Buffer.from(name)), Buffer.from([number]))
}

const TREE = namespace('hypercore', 0)
const MANIFEST = namespace('hypercore', 3)
const DEFAULT_NAMESPACE = namespace('hypercore', 4)

export function leaf (number, block) {
  return { index: 2 * number, size: block.length, hash: hash(Buffer.from([0]), u64(block.length), block) }
}

export function parent (one, other) {
  const [left, right] = one.index < other.index ? [one, other] : [other, one]
  const size = left.size + right.size
  return {
    index: (left.index + right.index) / 2,
    size,
    hash: hash(Buffer.from([1]), u64(size), left.hash, right.hash)
  }
}

export function treeHash (roots) {
  return hash(Buffer.from([2]), ...roots.flatMap(node => [node.hash, u64(node.index), u64(node.size)]))
}

// The step between a node and the next one of its depth; exact beyond 32 bits.
export function step (index) {
  let width = 2
  for (let rest = index; rest % 2 === 1; rest = (rest - 1) / 2) width *= 2
  return width
}

function sibling (index) {
  const width = step(index)
  const offset = (index - (width / 2 - 1)) / width
  return offset % 2 === 0 ? index + width : index - width
}

export function rootsOf (length) {
  const roots = []
  let start = 0
  for (let rest = length; rest > 0;) {
    let full = 1
    while (full * 2 <= rest) full *= 2
    roots.push(start + full - 1)
    start += 2 * full
    rest -= full
  }
  return roots
}

function leavesBelow (index) {
  const half = step(index) / 2 - 1
  return [index - half, index + half]
}

function growth (start, end) {
  const nodes = []
  for (const root of rootsOf(end)) {
    const [first, last] = leavesBelow(root)
    if (last < 2 * start) continue
    if (first >= 2 * start) {
      nodes.push(root)
      continue
    }
    for (let at = 2 * start - 2; at !== root;) {
      const other = sibling(at)
      if (other > at) nodes.push(other)
      at = (at + other) / 2
    }
  }
  return nodes
}

export function same (one, other) {
  return one.index === other.index && one.size === other.size && one.hash.equals(other.hash)
}

function sameNodes (some, others) {
  return some.length === others.length && some.every((node, at) => same(node, others[at]))
}

function appendRoot (roots, node) {
  roots.push(node)
  while (roots.length > 1 && sibling(roots.at(-1).index) === roots.at(-2).index) {
    roots.push(parent(roots.pop(), roots.pop()))
  }
}

// 4.3 ----------------------------------------------------------------------------------------------

function readSigner (reader) {
  need(reader.uint() === 0, 'no Ed25519')
  return { namespace: reader.fixed(32), publicKey: reader.fixed(32) }
}

function readManifest (bytes) {
  const reader = new Reader(bytes)
  const manifest = { version: reader.uint(), patch: false, prologue: null, signers: [], quorum: 0 }
  need(manifest.version <= 3, 'an unknown manifest')
  if (manifest.version === 0) {
    need(reader.uint() === 0, 'no BLAKE2b')
    const type = reader.uint()
    need(type === 1 || type === 2, 'no signers')
    if (type === 1) {
      manifest.signers = [readSigner(reader)]
      manifest.quorum = 1
    } else {
      manifest.patch = (reader.uint() & 1) !== 0
      manifest.quorum = reader.uint()
      manifest.signers = reader.array(() => readSigner(reader))
    }
    reader.end()
    return manifest
  }
  const flags = reader.uint()
  manifest.patch = (flags & 1) !== 0
  need(reader.uint() === 0, 'no BLAKE2b')
  manifest.quorum = reader.uint()
  manifest.signers = reader.array(() => readSigner(reader))
  if (flags & 2) manifest.prologue = { hash: reader.fixed(32), length: reader.uint() }
  if (flags & 4) manifest.linked = reader.array(() => reader.fixed(32))
  if (flags & 8) manifest.userData = reader.fixed(reader.uint())
  reader.end()
  return manifest
}

function writeManifest (manifest) {
  const signers = manifest.signers.map(one => Buffer.concat([uint(0), one.namespace, one.publicKey]))
  if (manifest.version === 0) {
    const single = signers.length === 1 && manifest.quorum === 1 && !manifest.patch
    const rest = single ? [uint(1), signers[0]] : [uint(2), uint(manifest.patch ? 1 : 0), uint(manifest.quorum), array(signers)]
    return Buffer.concat([uint(0), uint(0), ...rest])
  }
  const { prologue, linked, userData } = manifest
  const flags = (manifest.patch ? 1 : 0) | (prologue ? 2 : 0) | (linked ? 4 : 0) | (userData ? 8 : 0)
  return Buffer.concat([
    uint(manifest.version), uint(flags), uint(0), uint(manifest.quorum), array(signers),
    ...(prologue ? [prologue.hash, uint(prologue.length)] : []),
    ...(linked ? [array(linked)] : []),
    ...(userData ? [uint(userData.length), userData] : [])
  ])
}

function defaultManifest (publicKey) {
  const signers = [{ namespace: DEFAULT_NAMESPACE, publicKey }]
  return { version: 1, patch: false, prologue: null, signers, quorum: 1 }
}

function isCompat (key, manifest) {
  return manifest.signers.length === 1 && manifest.signers[0].publicKey.equals(key)
}

export function manifestFor (key, bytes) {
  const manifest = bytes === null ? defaultManifest(key) : readManifest(bytes)
  need(isCompat(key, manifest) || hash(MANIFEST, writeManifest(manifest)).equals(key), 'the manifest is of another log')
  return manifest
}

// 4.4 ----------------------------------------------------------------------------------------------

function signedBy (signer, signature, namespaceOrNull, head) {
  const parts = [TREE, namespaceOrNull, treeHash(head.roots), u64(head.length), u64(head.fork)]
  const message = Buffer.concat(parts.filter(part => part !== null))
  return signature.length === 64 && sodium.crypto_sign_verify_detached(signature, message, signer.publicKey)
}

function readNode (reader) {
  return { index: reader.uint(), size: reader.uint(), hash: reader.fixed(32) }
}

function readSignatures (bytes, version) {
  const reader = new Reader(bytes)
  const proofs = reader.array(() => {
    if (version > 0) return { signer: reader.uint(), signature: reader.fixed(64), patch: reader.uint() }
    const flags = reader.uint()
    const proof = { signer: reader.uint(), signature: reader.fixed(64), patch: 0 }
    if (flags & 1) {
      reader.uint()
      proof.patch = reader.uint()
      reader.array(() => reader.uint())
    }
    return proof
  })
  const nodes = reader.array(() => readNode(reader))
  reader.end()
  return { proofs, nodes }
}

function grown (head, patch, nodes) {
  const roots = [...head.roots]
  for (const index of growth(head.length, head.length + patch)) {
    const node = nodes.find(one => one.index === index)
    need(node, 'a node of a patch is missing')
    appendRoot(roots, node)
  }
  return { ...head, length: head.length + patch, roots }
}

export function checkHead (key, manifest, head) {
  need(head.length > 0, 'nothing is signed')
  const places = rootsOf(head.length)
  need(places.length === head.roots.length && places.every((at, i) => at === head.roots[i].index), 'the roots are not those of the length')
  const compat = isCompat(key, manifest)
  if (!compat && manifest.version > 0 && manifest.prologue && head.length <= manifest.prologue.length) {
    need(head.fork === 0 && head.length === manifest.prologue.length && treeHash(head.roots).equals(manifest.prologue.hash), 'not the prologue')
    return
  }
  need(head.signature, 'there is no signature')
  const [signer] = manifest.signers
  if (compat || (manifest.version === 0 && manifest.signers.length === 1 && !manifest.patch)) {
    need(signedBy(signer, head.signature, compat ? null : signer.namespace, head), 'the signature is wrong')
    return
  }
  // 10b.1: a signature that does not name its log accuses nobody.
  need(manifest.version > 0 || manifest.signers.length === 1, 'a version 0 log of several signers')
  const { proofs, nodes } = readSignatures(head.signature, manifest.version)
  need(manifest.quorum > 0 && proofs.length >= manifest.quorum, 'too few signatures')
  const counted = proofs.slice(0, manifest.quorum)
  need(new Set(counted.map(proof => proof.signer)).size === counted.length, 'one signer twice')
  for (const proof of counted) {
    const by = manifest.signers[proof.signer]
    need(by, 'no such signer')
    const tree = manifest.patch && proof.patch ? grown(head, proof.patch, nodes) : head
    need(signedBy(by, proof.signature, manifest.version > 0 ? key : by.namespace, tree), 'a signature is wrong')
  }
  need(!manifest.patch || counted.some(proof => proof.patch === 0), 'nobody signed this length')
}

// Files --------------------------------------------------------------------------------------------

export function count (value) {
  need(Number.isSafeInteger(value) && value >= 0, 'no count')
  return value
}

export function bytes (text) {
  need(typeof text === 'string' && Buffer.from(text, 'base64').toString('base64') === text, 'no base64')
  return Buffer.from(text, 'base64')
}

export function keyOf (text) {
  need(typeof text === 'string' && /^[0-9a-f]{64}$/.test(text), 'no key')
  return Buffer.from(text, 'hex')
}

export function nodesOf (rows) {
  need(Array.isArray(rows), 'no nodes')
  return rows.map(row => {
    need(Array.isArray(row) && row.length === 3, 'no node')
    const node = { index: count(row[0]), size: count(row[1]), hash: bytes(row[2]) }
    need(node.hash.length === 32, 'no hash')
    return node
  })
}

export function headOf (row) {
  need(row !== null && typeof row === 'object', 'no head')
  return {
    fork: count(row.fork),
    length: count(row.length),
    roots: nodesOf(row.roots),
    signature: row.signature === null ? null : bytes(row.signature)
  }
}

function logOf (file) {
  const key = keyOf(file.logKey)
  return [key, manifestFor(key, file.manifest === null ? null : bytes(file.manifest))]
}

function fold (path) {
  return path.slice(1).reduce((below, node) => {
    need(node.index === sibling(below.index), 'not the sibling')
    return parent(below, node)
  }, path[0])
}

// 10b.4
export function checkTruncation (file) {
  const [key, manifest] = logOf(file)
  const head = headOf(file.truncated)
  need(head.fork > 0, 'never truncated')
  checkHead(key, manifest, head)
  if (file.before === null) return
  const before = headOf(file.before)
  need(before.fork < head.fork, 'not from before')
  checkHead(key, manifest, before)
}

export function checkRewrite (file) {
  const [key, manifest] = logOf(file)
  need(Array.isArray(file.statements) && file.statements.length === 2, 'not two statements')
  const heads = file.statements.map(headOf)
  const paths = file.statements.map(row => nodesOf(row.path))
  heads.forEach(head => checkHead(key, manifest, head))
  const [first, second] = heads
  need(first.fork === second.fork, 'two fork numbers')
  if (first.length === second.length) {
    need(!paths[0].length && !paths[1].length, 'a path where none is needed')
    const differ = manifest.patch
      ? first.roots.some((root, at) => !root.hash.equals(second.roots[at].hash))
      : !treeHash(first.roots).equals(treeHash(second.roots))
    need(differ, 'one statement twice')
    return
  }
  need(first.length < second.length, 'the longer head comes first')
  need(paths[0].length && paths[1].length && paths[0][0].index === paths[1][0].index, 'not one place')
  need(!paths[0][0].hash.equals(paths[1][0].hash), 'one node twice')
  heads.forEach((head, at) => {
    const top = fold(paths[at])
    need(head.roots.some(root => same(root, top)), 'a path to somewhere else')
  })
}

// 10.7
export function checkInclusion (file) {
  const [key, manifest] = logOf(file)
  const [length, number] = [count(file.length), count(file.index)]
  need(number < length, 'behind the end')
  const top = fold([leaf(number, bytes(file.block)), ...nodesOf(file.path)])
  const others = nodesOf(file.roots)
  const places = rootsOf(length)
  const roots = places.map(index => index === top.index ? top : others.shift())
  need(others.length === 0 && roots.every(Boolean), 'other roots than the length has')
  need(roots.includes(top) && places.every((at, i) => at === roots[i].index), 'a root is not in its place')
  for (const node of nodesOf(file.additionalRoots)) appendRoot(roots, node)
  // The last leaf below the last root is the last block.
  const total = leavesBelow(roots.at(-1).index)[1] / 2 + 1
  const signature = file.signature === null ? null : bytes(file.signature)
  checkHead(key, manifest, { fork: count(file.fork), length: total, roots, signature })
}

export function checkConsistency (file) {
  const [key, manifest] = logOf(file)
  const [earlier, later] = [headOf(file.earlier), headOf(file.later)]
  const nodes = nodesOf(file.nodes)
  need(earlier.fork === later.fork, 'two fork numbers')
  need(earlier.length > 0 && earlier.length < later.length, 'not the shorter one')
  checkHead(key, manifest, later)
  if (earlier.signature !== null) checkHead(key, manifest, earlier)
  const stand = (some, at) => some.length === at.length && some.every((node, i) => node.index === at[i])
  need(stand(earlier.roots, rootsOf(earlier.length)), 'other roots than the length has')
  need(stand(nodes, growth(earlier.length, later.length)), 'other nodes than the lengths demand')
  const roots = [...earlier.roots]
  for (const node of nodes) appendRoot(roots, node)
  need(sameNodes(roots, later.roots), 'it does not grow into the later tree')
}
