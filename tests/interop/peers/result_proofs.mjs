// What became of an operation: chapters 1b, 6.1, 10.1 and 10.7, written from their text alone.

import {
  Reader, bytes, checkHead, count, headOf, keyOf, leaf, manifestFor, need, nodesOf, parent, rootsOf,
  same, step, treeHash
} from './log_proofs.mjs'

// 10.7, extracts -----------------------------------------------------------------------------------

function span (index) {
  const half = step(index) / 2 - 1
  return [(index - half) / 2, (index + half) / 2]
}

function checkExtract (extract, key) {
  need(extract !== null && typeof extract === 'object', 'no extract')
  need(keyOf(extract.logKey).equals(key), 'an extract of another log')
  const manifest = manifestFor(key, extract.manifest === null ? null : bytes(extract.manifest))
  const head = headOf(extract.head)
  checkHead(key, manifest, head)
  need(Array.isArray(extract.blocks), 'no blocks')
  const blocks = new Map(extract.blocks.map(row => {
    need(Array.isArray(row) && row.length === 2, 'no block')
    return [count(row[0]), bytes(row[1])]
  }))
  const numbers = [...blocks.keys()]
  need(numbers.length === extract.blocks.length, 'a block twice')
  need(numbers.every((number, at) => number < head.length && (at === 0 || number > numbers[at - 1])), 'the blocks are not in order')
  const given = nodesOf(extract.nodes)
  const nodes = new Map(head.roots.map(root => [root.index, root]))
  const touches = index => {
    const [first, last] = span(index)
    return numbers.some(number => first <= number && number <= last)
  }
  const compute = index => {
    let node
    if (!touches(index)) {
      node = given.shift()
      need(node && node.index === index, 'a node is missing')
    } else if (index % 2 === 0) {
      node = leaf(index / 2, blocks.get(index / 2))
    } else {
      const quarter = step(index) / 4
      node = parent(compute(index - quarter), compute(index + quarter))
    }
    nodes.set(index, node)
    return node
  }
  for (const root of head.roots) {
    need(!touches(root.index) || same(compute(root.index), root), 'the blocks do not lead to the head')
  }
  need(given.length === 0, 'nodes are left over')
  return { blocks, nodes }
}

function treeHashAt (nodes, length) {
  const roots = rootsOf(length).map(index => nodes.get(index))
  return roots.every(Boolean) ? treeHash(roots) : null
}

// 6.1 ----------------------------------------------------------------------------------------------

function varint (reader) {
  let value = 0n
  for (let shift = 0n; ; shift += 7n) {
    need(shift < 56n, 'a long varint')
    const byte = reader.fixed(1)[0]
    value |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) {
      need(byte !== 0 || shift === 0n, 'a varint that is not in its shortest form')
      return Number(value)
    }
  }
}

function entryOf (block) {
  const reader = new Reader(block)
  const entry = { value: null }
  while (reader.at < block.length) {
    const tag = varint(reader)
    need((tag & 7) === 2, 'an unknown field')
    const content = reader.fixed(varint(reader))
    if (tag >> 3 === 1) entry.index = content
    if (tag >> 3 === 2) entry.key = content
    if (tag >> 3 === 3) entry.value = content
  }
  need(entry.index && entry.key, 'no entry')
  return entry
}

// 1b -----------------------------------------------------------------------------------------------

const HEADS = {
  0xc4: ['bytes', 1], 0xc5: ['bytes', 2], 0xc6: ['bytes', 4], 0xcc: ['uint', 1], 0xcd: ['uint', 2],
  0xce: ['uint', 4], 0xcf: ['uint', 8], 0xd0: ['int', 1], 0xd1: ['int', 2], 0xd2: ['int', 4],
  0xd3: ['int', 8], 0xd9: ['text', 1], 0xda: ['text', 2], 0xdb: ['text', 4], 0xdc: ['array', 2],
  0xdd: ['array', 4], 0xde: ['map', 2], 0xdf: ['map', 4]
}

function bigEndian (reader, size, signed) {
  const value = reader.fixed(size).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)
  return Number(signed ? BigInt.asIntN(8 * size, value) : value)
}

function valueOf (reader) {
  const first = reader.fixed(1)[0]
  if (first < 0x80) return first
  if (first >= 0xe0) return first - 256
  if (first === 0xc0) return null
  if (first === 0xc2 || first === 0xc3) return first === 0xc3
  if (first === 0xcb) return reader.fixed(8).readDoubleBE()
  if (first < 0x90) return mapOf(reader, first & 0x0f)
  if (first < 0xa0) return arrayOf(reader, first & 0x0f)
  if (first < 0xc0) return reader.fixed(first & 0x1f).toString()
  need(first in HEADS, 'no value of a record')
  const [kind, size] = HEADS[first]
  if (kind === 'uint' || kind === 'int') return bigEndian(reader, size, kind === 'int')
  const length = bigEndian(reader, size, false)
  if (kind === 'map') return mapOf(reader, length)
  if (kind === 'array') return arrayOf(reader, length)
  return kind === 'text' ? reader.fixed(length).toString() : reader.fixed(length)
}

function arrayOf (reader, length) {
  need(length <= reader.bytes.length - reader.at, 'more items than bytes')
  return Array.from({ length }, () => valueOf(reader))
}

function mapOf (reader, length) {
  need(length <= reader.bytes.length - reader.at, 'more items than bytes')
  return Object.fromEntries(Array.from({ length }, () => [valueOf(reader), valueOf(reader)]))
}

// 10.1, 10.7 ---------------------------------------------------------------------------------------

function ackOf (value, origin, seq) {
  const reader = new Reader(value)
  const ack = valueOf(reader)
  reader.end()
  need(ack !== null && typeof ack === 'object', 'an ack is a map')
  need(typeof ack.success === 'boolean' && (ack.error === null) === ack.success, 'success or an error')
  need(ack.origin === origin && ack.seq === seq, 'the ack stands under another key')
  for (const hash of [ack.opHash, ack.oplogHead]) need(Buffer.isBuffer(hash) && hash.length === 32, 'no hash')
  return ack
}

export function checkResult (file) {
  const seq = count(file.opSeq)
  const origin = keyOf(file.origin)
  const { blocks } = checkExtract(file.index, keyOf(file.databaseKey))
  const numbers = [...blocks.keys()]
  need(numbers.length > 0 && numbers.every((number, at) => number === numbers[0] + at), 'not one transaction')
  const [first, ...changes] = [...blocks.values()].map(entryOf)
  const path = ['.sys', 'acks', file.origin, String(seq).padStart(15, '0')]
  need(first.key.toString('latin1') === path.join('\0') && first.value, 'not the ack of this operation')
  const ack = ackOf(first.value, file.origin, seq)
  need(ack.numChanges === changes.length, 'another number of changes')
  if (file.oplog === null) return
  const shown = checkExtract(file.oplog, origin)
  const block = shown.blocks.get(seq)
  need(block && shown.blocks.size === 1, 'another operation')
  need(leaf(seq, block).hash.equals(ack.opHash), 'the ack names another operation')
  need(treeHashAt(shown.nodes, seq + 1)?.equals(ack.oplogHead), 'the ack names another history')
}
