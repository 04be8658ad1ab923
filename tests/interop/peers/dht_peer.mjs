// A peer that speaks HyperDHT; driven by rpc.mjs.
//
// Events: `connection` (a client of a server here), `data`, `close` (of a stream; with the error, if any).
import { Handles, bytes, emit, hex, serve } from './rpc.mjs'
import Corestore from 'corestore'
import DHT from 'hyperdht'
import blindRelay from 'blind-relay'
import createTestnet from 'hyperdht/testnet.js'

const HOST = '127.0.0.1'

const nodes = new Handles()
const servers = new Handles()
const streams = new Handles()
let closing = []

const keyPair = (seed) => (seed ? DHT.keyPair(bytes(seed)) : undefined)

function follow (stream, echo) {
  const handle = streams.add(stream)
  stream.on('data', (data) => {
    if (echo) stream.write(data)
    else emit('data', { stream: handle, data: hex(data) })
  })
  stream.on('end', () => stream.end())
  stream.on('error', (error) => { stream.failure = error })
  stream.on('close', () => emit('close', { stream: handle, code: stream.failure ? stream.failure.code || stream.failure.message : null }))
  return handle
}

async function collect (query) {
  const replies = []
  for await (const reply of query) {
    for (const peer of reply.peers || (reply.peer ? [reply.peer] : [])) {
      replies.push({ from: [reply.from.host, reply.from.port], key: hex(peer.publicKey), relays: peer.relayAddresses.map((a) => [a.host, a.port]) })
    }
  }
  return replies
}

serve({
  // A network of `size` nodes; gives the address of the first.
  async testnet ({ size }) {
    const testnet = await createTestnet(size, { host: HOST })
    closing.push(() => testnet.destroy())
    return { host: HOST, port: testnet.bootstrap[0].port, nodes: testnet.nodes.map((node) => node.address().port) }
  },

  async open ({ bootstrap, seed, host, ...opts }) {
    const node = new DHT({ bootstrap: bootstrap.map(([host, port]) => ({ host, port })), host: host || HOST, keyPair: keyPair(seed), ...opts })
    closing.push(() => node.destroy())
    await node.fullyBootstrapped()
    return { node: nodes.add(node), key: hex(node.defaultKeyPair.publicKey), port: node.address().port }
  },

  state ({ node }) {
    const dht = nodes.get(node)
    return { firewalled: dht.firewalled, ephemeral: dht.ephemeral, nodes: dht.nodes.length, punches: dht.stats.punches }
  },

  async destroy ({ node }) {
    await nodes.get(node).destroy()
  },

  async listen ({ node, seed, echo, relayThrough, ...opts }) {
    if (relayThrough) opts.relayThrough = bytes(relayThrough)
    const server = nodes.get(node).createServer(opts, (stream) => {
      const handle = follow(stream, echo)
      stream.on('open', () => emit('connection', { server: number, stream: handle, key: hex(stream.remotePublicKey), port: stream.rawStream.remotePort }))
    })
    const number = servers.add(server)
    await server.listen(keyPair(seed) || DHT.keyPair())
    return { server: number, key: hex(server.publicKey), relays: server.relayAddresses.map((a) => [a.host, a.port]) }
  },

  // Carries the streams of others.
  async relay ({ node }) {
    const dht = nodes.get(node)
    const relay = new blindRelay.Server({ createStream: dht.createRawStream.bind(dht) })
    const server = dht.createServer((stream) => {
      stream.on('error', () => {})
      relay.accept(stream, { id: stream.remotePublicKey }).on('error', () => {})
    })
    await server.listen(DHT.keyPair())
    return { key: hex(server.publicKey) }
  },

  // A log at `path` that whoever looks up its discovery key can download.
  async share ({ node, path, blocks }) {
    const dht = nodes.get(node)
    const store = new Corestore(path)
    const core = store.get({ name: 'log' })
    await core.append(blocks.map(bytes))
    const server = dht.createServer((stream) => {
      stream.on('error', () => {})
      store.replicate(stream)
    })
    closing.push(() => store.close())
    await server.listen(dht.defaultKeyPair)
    await dht.announce(core.discoveryKey, dht.defaultKeyPair, server.relayAddresses).finished()
    return { key: hex(core.key) }
  },

  async unlisten ({ server }) {
    await servers.get(server).close()
  },

  // Waits until the stream is open.
  async connect ({ node, key, relays, seed, relayThrough, echo }) {
    const stream = nodes.get(node).connect(bytes(key), {
      relayAddresses: (relays || []).map(([host, port]) => ({ host, port })),
      keyPair: keyPair(seed),
      relayThrough: relayThrough ? bytes(relayThrough) : undefined
    })
    const handle = follow(stream, echo)
    if (!(await stream.opened)) throw stream.failure || new Error('not opened')
    return { stream: handle, key: hex(stream.publicKey), host: stream.rawStream.remoteHost, port: stream.rawStream.remotePort }
  },

  where ({ stream }) {
    const { remoteHost, remotePort } = streams.get(stream).rawStream
    return { host: remoteHost, port: remotePort }
  },

  write ({ stream, data }) {
    streams.get(stream).write(bytes(data))
  },

  end ({ stream }) {
    streams.get(stream).end()
  },

  drop ({ stream }) {
    streams.get(stream).destroy()
  },

  async announce ({ node, topic, seed, relays }) {
    const query = nodes.get(node).announce(bytes(topic), keyPair(seed) || nodes.get(node).defaultKeyPair, (relays || []).map(([host, port]) => ({ host, port })))
    await query.finished()
    return { stored: query.closestNodes.length }
  },

  async unannounce ({ node, topic, seed }) {
    await nodes.get(node).unannounce(bytes(topic), keyPair(seed) || nodes.get(node).defaultKeyPair)
  },

  async lookup ({ node, topic }) {
    return collect(nodes.get(node).lookup(bytes(topic)))
  },

  async findPeer ({ node, key }) {
    return collect(nodes.get(node).findPeer(bytes(key)))
  },

  async immutablePut ({ node, value }) {
    const { hash, closestNodes } = await nodes.get(node).immutablePut(bytes(value))
    return { hash: hex(hash), stored: closestNodes.length }
  },

  async immutableGet ({ node, hash }) {
    const found = await nodes.get(node).immutableGet(bytes(hash))
    return found && hex(found.value)
  },

  async mutablePut ({ node, seed, value, seq }) {
    const pair = keyPair(seed)
    await nodes.get(node).mutablePut(pair, bytes(value), { seq })
    return { key: hex(pair.publicKey) }
  },

  async mutableGet ({ node, key }) {
    const found = await nodes.get(node).mutableGet(bytes(key), { latest: true })
    return found && { seq: found.seq, value: hex(found.value) }
  },

  async reset () {
    for (const close of closing.reverse()) await close()
    closing = []
  }
}, async () => {
  for (const close of closing.reverse()) await close()
})
