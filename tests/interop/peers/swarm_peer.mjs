// A peer that swarms: npm hyperswarm, and corestore on top of it; driven by rpc.mjs.
//
// Events: `connection` (with key, whether it called, topics), `close`.
import { Handles, bytes, emit, hex, serve } from './rpc.mjs'
import Corestore from 'corestore'
import DHT from 'hyperdht'
import Hyperswarm from 'hyperswarm'
import createTestnet from 'hyperdht/testnet.js'

const HOST = '127.0.0.1'

const swarms = new Handles()
const stores = new Handles()
const cores = new Handles()
const sessions = new Handles()
let closing = []

serve({
  async testnet ({ size }) {
    const testnet = await createTestnet(size, { host: HOST })
    closing.push(() => testnet.destroy())
    return { host: HOST, port: testnet.bootstrap[0].port }
  },

  // A swarm; with `store`, all its cores are replicated on every connection.
  async open ({ bootstrap, seed, store }) {
    const dht = new DHT({ bootstrap: bootstrap.map(([host, port]) => ({ host, port })), host: HOST })
    const swarm = new Hyperswarm({ dht, keyPair: seed ? DHT.keyPair(bytes(seed)) : undefined })
    const number = swarms.add(swarm)
    swarm.on('connection', (connection, info) => {
      const key = hex(connection.remotePublicKey)
      emit('connection', { swarm: number, key, initiator: connection.isInitiator, topics: info.topics.map(hex) })
      connection.on('error', () => {})
      connection.on('close', () => emit('close', { swarm: number, key }))
      stores.get(store).replicate(connection)
    })
    closing.push(() => swarm.destroy())
    await dht.fullyBootstrapped()
    return { swarm: number, key: hex(swarm.keyPair.publicKey) }
  },

  join ({ swarm, topic, server, client }) {
    return { session: sessions.add(swarms.get(swarm).join(bytes(topic), { server, client })) }
  },

  // What it does by itself after ten to twelve minutes.
  async refresh ({ session }) {
    await sessions.get(session).refresh()
  },

  async flush ({ swarm }) {
    await swarms.get(swarm).flush()
  },

  async flushed ({ swarm, topic }) {
    await swarms.get(swarm).status(bytes(topic)).flushed()
  },

  // With its store; `end` of the process does the same for those that are left.
  async close ({ swarm, store }) {
    await swarms.get(swarm).destroy()
    await stores.get(store).close()
  },

  connections ({ swarm }) {
    return [...swarms.get(swarm).connections].map((connection) => ({
      key: hex(connection.remotePublicKey),
      initiator: connection.isInitiator,
      handshake: hex(connection.handshakeHash)
    }))
  },

  async store ({ path }) {
    const store = new Corestore(path)
    await store.ready()
    closing.unshift(() => store.close())
    return { store: stores.add(store) }
  },

  async core ({ store, name, key, append = [] }) {
    const core = stores.get(store).get(key ? { key: bytes(key) } : { name })
    await core.ready()
    for (const text of append) await core.append(Buffer.from(text))
    return { core: cores.add(core), key: hex(core.key), discoveryKey: hex(core.discoveryKey), length: core.length }
  },

  async append ({ core, text }) {
    await cores.get(core).append(Buffer.from(text))
    return {}
  },

  // Everything up to a length, from whoever has it.
  async read ({ core, length }) {
    const blocks = []
    for (let seq = 0; seq < length; seq++) blocks.push(hex(await cores.get(core).get(seq)))
    return blocks
  }
}, async () => {
  for (const close of closing.reverse()) await close()
})
