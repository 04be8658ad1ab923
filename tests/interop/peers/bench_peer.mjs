// The JavaScript side of tests/benchmarks: one step in this process, its figures as a line of JSON.
//
//   node bench_peer.mjs STEP '{"path": …}'
//
// The steps do what those of the same name do in tests/benchmarks/*.py: change both together.
import net from 'node:net'
import { performance } from 'node:perf_hooks'
import Corestore from 'corestore'
import Hyperbee from 'hyperbee'
import SecretStream from '@hyperswarm/secret-stream'
import DHT from 'hyperdht'
import createTestnet from 'hyperdht/testnet.js'
import UDX from 'udx-native'

const values = {}

async function rate (row, count, work) {
  const begun = performance.now()
  await work()
  values[row] = count / ((performance.now() - begun) / 1000)
}

// The same sequence in each run; which numbers does not matter.
function randomness () {
  let state = 1
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

async function open (path) {
  const store = new Corestore(path)
  await store.ready()
  return store
}

// Append ----------------------------------------------------------------------------------------

const BATCH_BLOCKS = 100

async function append ({ path, singles, batches, gets }) {
  const store = await open(path)
  const core = store.get({ name: 'log' })
  await core.ready()
  const block = Buffer.alloc(100)
  for (let i = 0; i < 20; i++) await core.append(block)
  await rate('append-single', singles, async () => {
    for (let i = 0; i < singles; i++) await core.append(block)
  })
  const batch = new Array(BATCH_BLOCKS).fill(block)
  await rate('append-batch', batches * BATCH_BLOCKS, async () => {
    for (let i = 0; i < batches; i++) await core.append(batch)
  })
  const random = randomness()
  const wanted = Array.from({ length: gets }, () => random(core.length))
  await rate('get-random', gets, async () => {
    for (const index of wanted) await core.get(index)
  })
  await store.close()
}

// Hyperbee --------------------------------------------------------------------------------------

const BATCH_KEYS = 200

const keyText = (number) => Buffer.from('key/' + number.toString(16).padStart(8, '0'))
const keyOf = (number) => keyText(Math.imul(number, 2654435761) >>> 0)

async function openBee (store, name) {
  const bee = new Hyperbee(store.get({ name }), { keyEncoding: 'binary', valueEncoding: 'binary' })
  await bee.ready()
  return bee
}

async function hyperbee ({ path, puts, batches, gets }) {
  const store = await open(path)
  const value = Buffer.alloc(50)
  const ordered = await openBee(store, 'ordered')
  await rate('bee-batch', batches * BATCH_KEYS, async () => {
    for (let start = 0; start < batches * BATCH_KEYS; start += BATCH_KEYS) {
      const batch = ordered.batch()
      for (let i = start; i < start + BATCH_KEYS; i++) await batch.put(keyText(i), value)
      await batch.flush()
    }
  })
  const bee = await openBee(store, 'bee')
  await bee.put(Buffer.from('first'), value)
  await rate('bee-put', puts, async () => {
    for (let i = 0; i < puts; i++) await bee.put(keyOf(i), value)
  })
  const keys = puts + batches * BATCH_KEYS
  await rate('bee-batch-scattered', batches * BATCH_KEYS, async () => {
    for (let start = puts; start < keys; start += BATCH_KEYS) {
      const batch = bee.batch()
      for (let i = start; i < start + BATCH_KEYS; i++) await batch.put(keyOf(i), value)
      await batch.flush()
    }
  })
  const random = randomness()
  const wanted = Array.from({ length: gets }, () => keyOf(random(keys)))
  await rate('bee-get', gets, async () => {
    for (const key of wanted) {
      if ((await bee.get(key)) === null) throw new Error('a key is missing')
    }
  })
  await store.close()
}

// Replication -----------------------------------------------------------------------------------

const BATCH_BYTES = 1024 * 1024
const MOST_BATCH_BLOCKS = 1000

function replicate (store, socket, isInitiator) {
  const stream = new SecretStream(isInitiator, socket)
  stream.on('error', () => {})
  socket.on('error', () => {})
  store.replicate(stream)
  return stream
}

async function write ({ path, count, size }) {
  const store = await open(path)
  const core = store.get({ name: 'log' })
  await core.ready()
  const step = Math.min(MOST_BATCH_BLOCKS, Math.max(1, Math.floor(BATCH_BYTES / size)))
  for (let start = 0; start < count; start += step) {
    const blocks = []
    for (let i = start; i < Math.min(start + step, count); i++) {
      const block = Buffer.alloc(size, 'x')
      block.writeUInt32BE(i)
      blocks.push(block)
    }
    await core.append(blocks)
  }
  const server = net.createServer({ noDelay: true }, (socket) => replicate(store, socket, false))
  server.listen(0, '127.0.0.1', () => {
    console.log(JSON.stringify({ key: core.key.toString('hex'), port: server.address().port }))
  })
  process.stdin.resume()
  await new Promise((resolve) => process.stdin.once('end', resolve))
  process.exit(0)
}

async function read ({ path, row, count, key, port }) {
  const store = await open(path)
  const core = store.get({ key: Buffer.from(key, 'hex') })
  await core.ready()
  let stream
  await rate(row, count, async () => {
    const found = core.findingPeers()
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
    stream = replicate(store, socket, true)
    stream.once('open', found)
    while (core.length < count) await new Promise((resolve) => core.once('append', resolve))
    await core.download({ start: 0, end: count }).done()
  })
  if (core.contiguousLength !== count) throw new Error('the download is not complete')
  stream.destroy()
  await store.close()
}

// Network ---------------------------------------------------------------------------------------

const HOST = '127.0.0.1'
const IDS = [1001, 1002]
const CHUNK_BYTES = 64 * 1024
const NETWORK_NODES = 10
const CONNECTS = 12
const TOPIC = Buffer.from(Array.from({ length: 32 }, (_, i) => i))

async function untilTheEnd (ready) {
  console.log(JSON.stringify(ready))
  process.stdin.resume()
  await new Promise((resolve) => process.stdin.once('end', resolve))
  process.exit(0)
}

async function send (row, stream, megabytes) {
  const chunk = Buffer.alloc(CHUNK_BYTES)
  const count = Math.floor(megabytes * 1e6 / CHUNK_BYTES)
  stream.resume()
  await rate(row, count * CHUNK_BYTES / 1e6, async () => {
    const ended = new Promise((resolve) => stream.once('end', resolve))
    for (let i = 0; i < count; i++) {
      if (!stream.write(chunk)) await new Promise((resolve) => stream.once('drain', resolve))
    }
    stream.end()
    await ended
  })
}

async function serveUdx () {
  const udx = new UDX()
  const socket = udx.createSocket()
  socket.bind(0, HOST)
  const stream = udx.createStream(IDS[1], {
    firewall (socket, port, host) {
      stream.connect(socket, IDS[0], port, host)
      return false
    }
  })
  stream.on('end', () => stream.end())
  stream.on('error', () => {})
  stream.resume()
  await untilTheEnd({ port: socket.address().port })
}

async function sendUdx ({ row, megabytes, port }) {
  const udx = new UDX()
  const socket = udx.createSocket()
  socket.bind(0, HOST)
  const stream = udx.createStream(IDS[0])
  stream.on('error', () => {})
  stream.connect(socket, IDS[1], port, HOST)
  await send(row, stream, megabytes)
}

async function serveDht () {
  const testnet = await createTestnet(NETWORK_NODES, { host: HOST })
  const node = testnet.createNode({ firewalled: false })
  const server = node.createServer((stream) => {
    stream.on('end', () => stream.end())
    stream.on('error', () => {})
    stream.resume()
  })
  await server.listen(node.defaultKeyPair)
  await node.announce(TOPIC, node.defaultKeyPair).finished()
  await untilTheEnd({ port: testnet.bootstrap[0].port, key: server.publicKey.toString('hex') })
}

async function useDht ({ row, megabytes, count, port, key }) {
  const node = new DHT({ bootstrap: [{ host: HOST, port }], host: HOST, firewalled: false })
  await node.fullyBootstrapped()
  if (count) {
    await rate('dht-lookup', count, async () => {
      for (let i = 0; i < count; i++) {
        let replies = 0
        for await (const reply of node.lookup(TOPIC)) replies += reply.peers.length ? 1 : 0
        if (replies < NETWORK_NODES - 1) throw new Error('too few replies')
      }
    })
    await rate('dht-connect', CONNECTS, async () => {
      for (let i = 0; i < CONNECTS; i++) {
        const stream = node.connect(Buffer.from(key, 'hex'))
        await stream.opened
        stream.destroy()
      }
    })
  }
  const stream = node.connect(Buffer.from(key, 'hex'))
  stream.on('error', () => {})
  await stream.opened
  await send(row, stream, megabytes)
}

const steps = {
  append,
  hyperbee,
  'replication-writer': write,
  'replication-reader': read,
  'udx-receiver': serveUdx,
  'udx-sender': sendUdx,
  'dht-server': serveDht,
  'dht-client': useDht
}

const [step, parameters] = process.argv.slice(2)
await steps[step](JSON.parse(parameters))
console.log(JSON.stringify(values))
process.exit(0)
