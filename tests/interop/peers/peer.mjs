// The general JavaScript peer: cores, corestores, Hyperbees and replication over TCP, driven by rpc.mjs.
//
// A store lives in the directory the test names. Whatever is opened gets a number (handle); later calls name it.
import net from 'node:net'
import { createRequire } from 'node:module'
import Corestore from 'corestore'
import Corestore6 from 'corestore6'
import Hyperbee from 'hyperbee'
import Hypercore from 'hypercore'
import Hypercore10 from 'hypercore10'
import SecretStream from '@hyperswarm/secret-stream'
import { Handles, bytes, emit, hex, serve } from './rpc.mjs'

const require = createRequire(import.meta.url)
const crypto = require('hypercore-crypto')
const { decodeManifest } = require('hypercore/lib/verifier')

const stores = new Handles()
const cores = new Handles()
const bees = new Handles()
const servers = new Handles()
const streams = new Handles()

async function coreInfo (handle) {
  const core = cores.get(handle)
  return {
    core: handle,
    key: hex(core.key),
    discoveryKey: hex(core.discoveryKey),
    publicKey: core.keyPair ? hex(core.keyPair.publicKey) : null,
    length: core.length,
    byteLength: core.byteLength,
    contiguousLength: core.contiguousLength,
    fork: core.fork,
    writable: core.writable,
    treeHash: hex(await core.treeHash())
  }
}

async function openedCore (core) {
  await core.ready()
  return coreInfo(cores.add(core))
}

function waitFor (core, condition) {
  return new Promise((resolve) => {
    const check = () => {
      if (!condition()) return
      core.off('append', check)
      core.off('download', check)
      core.off('truncate', check)
      resolve()
    }
    core.on('append', check)
    core.on('download', check)
    core.on('truncate', check)
    check()
  })
}

const keyPair = (seed) => (seed ? crypto.keyPair(bytes(seed)) : undefined)

// Streams ------------------------------------------------------------------------------------------

function replicateOver (socket, isInitiator, { store, core, seed, keepAlive }) {
  const stream = new SecretStream(isInitiator, socket, { keyPair: keyPair(seed) })
  if (keepAlive) stream.setKeepAlive(keepAlive)
  const handle = streams.add(stream)
  stream.on('open', () => {
    emit('open', { stream: handle, remotePublicKey: hex(stream.remotePublicKey), handshakeHash: hex(stream.handshakeHash) })
  })
  stream.on('error', (error) => emit('error', { stream: handle, message: String(error.message), code: error.code || null }))
  stream.on('close', () => emit('close', { stream: handle, bytesRead: socket.bytesRead, bytesWritten: socket.bytesWritten }))
  socket.on('error', () => {})
  if (store) stores.get(store).replicate(stream)
  else if (core) cores.get(core).replicate(stream)
  else throw new Error('name the store or the core to replicate')
  return handle
}

const network = {
  // Give `store` or `core`. Emits `connection` {server, stream}, then `open`, `error`, `close` for the stream.
  'net.listen': (args) => new Promise((resolve, reject) => {
    const server = net.createServer({ noDelay: true }, (socket) => {
      const stream = replicateOver(socket, false, args)
      emit('connection', { server: handle, stream })
    })
    const handle = servers.add(server)
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => resolve({ server: handle, port: server.address().port }))
  }),
  'net.connect': (args) => new Promise((resolve, reject) => {
    const socket = net.connect({ port: args.port, host: '127.0.0.1', noDelay: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve({ stream: replicateOver(socket, true, args) })
    })
  }),
  'net.close': ({ stream, server }) => {
    if (stream) streams.get(stream).destroy()
    if (server) servers.get(server).close()
  }
}

// Cores --------------------------------------------------------------------------------------------

const storage = {
  // `version` 6 gives corestore 6, with hypercore 10 below it; `compat` is an option of that one alone.
  'store.open': async ({ path, version = 7, primaryKey, manifestVersion, compat }) => {
    const options = { primaryKey: bytes(primaryKey), unsafe: primaryKey !== undefined, manifestVersion, compat }
    const store = new (version === 6 ? Corestore6 : Corestore)(path, options)
    await store.ready()
    return { store: stores.add(store), primaryKey: hex(store.primaryKey) }
  },
  'store.namespace': ({ store, name }) => ({ store: stores.add(stores.get(store).namespace(name)) }),
  'store.close': async ({ store }) => {
    await stores.get(store).close()
    stores.delete(store)
  },
  // By `name` (writable) or by `key`; `encryptionKey` encrypts its blocks.
  'core.open': ({ store, name, key, encryptionKey }) => openedCore(
    stores.get(store).get({ ...(key ? { key: bytes(key) } : { name }), encryptionKey: bytes(encryptionKey) })
  ),
  // A core without a store. `version` 10 gives hypercore 10; `seed` fixes the key pair, `manifest` is encoded.
  'core.standalone': ({ path, version = 11, key, seed, compat, manifest, encryptionKey }) => {
    const Core = version === 10 ? Hypercore10 : Hypercore
    const options = { keyPair: keyPair(seed), manifest: manifest ? decodeManifest(bytes(manifest)) : undefined, encryptionKey: bytes(encryptionKey) }
    if (compat !== undefined) options.compat = compat
    return openedCore(new Core(path, bytes(key), options))
  },
  'core.snapshot': ({ core }) => openedCore(cores.get(core).snapshot()),
  'core.info': ({ core }) => coreInfo(core),
  // `signature`: the field as the manifest demands it, for cores that one key pair cannot sign.
  'core.append': async ({ core, blocks, signature }) => {
    await cores.get(core).append(blocks.map(bytes), signature ? { signature: bytes(signature) } : {})
    return coreInfo(core)
  },
  // Fills a log with the prologue of its manifest, from a log of the same version that begins with it.
  'core.copyPrologue': async ({ core, from }) => {
    const source = cores.get(from)
    await cores.get(core).core.copyPrologue(source.state || source.core)
    return coreInfo(core)
  },
  // Appends `count` blocks of `size` bytes, `batch` of them at a time; block i is filled with the byte i mod 256.
  'core.fill': async ({ core, count, size, batch = 100 }) => {
    const log = cores.get(core)
    for (let i = 0; i < count; i += batch) {
      const blocks = []
      for (let j = i; j < Math.min(i + batch, count); j++) blocks.push(Buffer.alloc(size, (log.length + j - i) & 0xff))
      await log.append(blocks)
    }
    return coreInfo(core)
  },
  'core.truncate': async ({ core, length, signature }) => {
    await cores.get(core).truncate(length, signature ? { signature: bytes(signature) } : {})
    return coreInfo(core)
  },
  'core.get': async ({ core, index, options }) => hex(await cores.get(core).get(index, options)),
  // The block as it is stored.
  'core.raw': async ({ core, index }) => hex(await cores.get(core).get(index, { raw: true })),
  'core.has': ({ core, index }) => cores.get(core).has(index),
  'core.blocks': async ({ core, start = 0, end = -1 }) => {
    const log = cores.get(core)
    const wanted = []
    for (let i = start; i < (end === -1 ? log.length : end); i++) wanted.push(log.get(i))
    return (await Promise.all(wanted)).map(hex)
  },
  // [index of the block, offset in it] of a byte.
  'core.seek': ({ core, offset, options }) => cores.get(core).seek(offset, options),
  'core.update': async ({ core, wait = true }) => {
    await cores.get(core).update({ wait })
    return coreInfo(core)
  },
  'core.download': async ({ core, start = 0, end = -1 }) => {
    await cores.get(core).download({ start, end }).done()
    return coreInfo(core)
  },
  // Waits until the core is at least `length` long and at least at `fork`. Gives nothing, for hypercore 10 tells of a
  // truncation before it has written the nodes that a tree hash is made of.
  'core.wait': async ({ core, length = 0, fork = 0 }) => {
    const log = cores.get(core)
    await waitFor(log, () => log.length >= length && log.fork >= fork)
  },
  'core.treeHash': async ({ core, length }) => hex(await cores.get(core).treeHash(length)),
  'core.close': async ({ core }) => {
    await cores.get(core).close()
    cores.delete(core)
  }
}

// Hyperbees ----------------------------------------------------------------------------------------

const entry = (node) => (node ? { seq: node.seq, key: hex(node.key), value: hex(node.value) } : null)

async function collect (stream, map) {
  const all = []
  for await (const data of stream) all.push(map(data))
  return all
}

function bounds (range = {}) {
  const decoded = { ...range }
  for (const name of ['gt', 'gte', 'lt', 'lte']) {
    if (typeof range[name] === 'string') decoded[name] = bytes(range[name])
  }
  return decoded
}

const view = ({ bee, version }) => (version === undefined || version === null ? bees.get(bee) : bees.get(bee).checkout(version))

// An operation is ["put", key, value] or ["del", key]; a last item `false` or `true` is the answer of a compare-and-swap.
async function apply (target, [kind, key, ...rest]) {
  const value = kind === 'put' ? rest.shift() : null
  const options = rest.length ? { cas: () => rest[0] } : undefined
  if (kind === 'put') await target.put(bytes(key), bytes(value), options)
  else if (kind === 'del') await target.del(bytes(key), options)
  else throw new Error(`no operation ${kind}`)
}

const hyperbee = {
  'bee.open': async ({ core, alwaysDuplicate = true, prefix }) => {
    let bee = new Hyperbee(cores.get(core), { keyEncoding: 'binary', valueEncoding: 'binary', alwaysDuplicate })
    await bee.ready()
    if (prefix !== undefined) bee = bee.sub(bytes(prefix))
    return { bee: bees.add(bee), version: bee.version }
  },
  'bee.sub': ({ bee, prefix }) => ({ bee: bees.add(bees.get(bee).sub(bytes(prefix))) }),
  'bee.put': async ({ bee, key, value }) => {
    await bees.get(bee).put(bytes(key), bytes(value))
    return { version: bees.get(bee).version }
  },
  'bee.del': async ({ bee, key }) => {
    await bees.get(bee).del(bytes(key))
    return { version: bees.get(bee).version }
  },
  // ops: [["put", key, value], ["del", key]]
  'bee.batch': async ({ bee, ops }) => {
    const batch = bees.get(bee).batch()
    for (const op of ops) await apply(batch, op)
    await batch.flush()
    return { version: bees.get(bee).version }
  },
  // steps: ["op", op] or ["batch", ops], in order; gives the blocks they wrote.
  'bee.run': async ({ bee, steps }) => {
    const tree = bees.get(bee)
    const start = tree.core.length
    for (const [kind, body] of steps) {
      if (kind === 'op') {
        await apply(tree, body)
      } else {
        const batch = tree.batch()
        for (const op of body) await apply(batch, op)
        await batch.flush()
      }
    }
    const blocks = []
    for (let i = start; i < tree.core.length; i++) blocks.push(hex(await tree.core.get(i)))
    return { start, blocks }
  },
  'bee.get': async ({ bee, version, key }) => entry(await view({ bee, version }).get(bytes(key))),
  'bee.list': ({ bee, version, range }) => collect(view({ bee, version }).createReadStream(bounds(range)), entry),
  'bee.history': ({ bee, version, options }) => collect(
    view({ bee, version }).createHistoryStream(options),
    (node) => ({ type: node.type, ...entry(node) })
  ),
  'bee.diff': ({ bee, version, other, range }) => collect(
    view({ bee, version }).createDiffStream(other, bounds(range)),
    ({ left, right }) => ({ left: entry(left), right: entry(right) })
  ),
  'bee.version': ({ bee }) => bees.get(bee).version
}

// Closes whatever was opened.
async function reset () {
  for (const stream of streams.objects.values()) stream.destroy()
  for (const server of servers.objects.values()) server.close()
  for (const core of cores.objects.values()) await core.close()
  for (const store of stores.objects.values()) await store.close()
  for (const handles of [streams, servers, bees, cores, stores]) handles.objects.clear()
}

serve({ ...storage, ...network, ...hyperbee, reset }, reset)
