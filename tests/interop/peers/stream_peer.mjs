// A peer that speaks the secret stream, and Protomux channels on it, over TCP; driven by rpc.mjs.
//
// Events of a stream: `open`, `message` (until a mux takes the stream over), `error`, `close`.
// Events of a channel: `channel.open`, `channel.message`, `channel.close`; `channel.asked` for an open without one.
import { createHash } from 'node:crypto'
import net from 'node:net'
import { createRequire } from 'node:module'
import SecretStream from '@hyperswarm/secret-stream'
import Protomux from 'protomux'
import { Handles, bytes, emit, hex, serve } from './rpc.mjs'

const require = createRequire(import.meta.url)
const c = require('compact-encoding')
const crypto = require('hypercore-crypto')

const MESSAGE_KINDS = 4

const streams = new Handles()
const channels = new Handles()
const digests = new Map()

function wrap (socket, isInitiator, { seed, pattern, remotePublicKey, keepAlive, ready, quiet }) {
  const options = { pattern, remotePublicKey: bytes(remotePublicKey), keepAlive }
  if (seed) options.keyPair = crypto.keyPair(bytes(seed))
  if (ready) options.handshake = Object.fromEntries(Object.entries(ready).map(([key, value]) => [key, bytes(value)]))
  const stream = new SecretStream(isInitiator, socket, options)
  const handle = streams.add(stream)
  const digest = { hash: createHash('sha256'), count: 0 }
  digests.set(handle, digest)
  socket.on('error', () => {})
  stream.on('connect', () => {
    emit('open', { stream: handle, remotePublicKey: hex(stream.remotePublicKey), handshakeHash: hex(stream.handshakeHash) })
  })
  stream.on('error', (error) => emit('error', { stream: handle, message: String(error.message) }))
  stream.on('close', () => emit('close', { stream: handle }))
  stream.on('end', () => stream.end())
  stream.on('data', (data) => {
    digest.count++
    digest.hash.update(data)
    if (!quiet) emit('message', { stream: handle, data: hex(data) })
  })
  return handle
}

function watch (channel, handle) {
  channel.onopen = (handshake) => emit('channel.open', { channel: handle, handshake: hex(handshake) })
  channel.onclose = (isRemote) => emit('channel.close', { channel: handle, isRemote })
  for (let kind = 0; kind < MESSAGE_KINDS; kind++) {
    channel.addMessage({ encoding: c.raw, onmessage: (data) => emit('channel.message', { channel: handle, kind, data: hex(data) }) })
  }
}

serve({
  listen (options) {
    return new Promise((resolve, reject) => {
      const server = net.createServer((socket) => wrap(socket, false, options))
      server.on('error', reject)
      server.listen(0, '127.0.0.1', () => resolve({ port: server.address().port }))
    })
  },

  connect ({ port, ...options }) {
    return { stream: wrap(net.connect(port, '127.0.0.1'), true, options) }
  },

  send ({ stream, messages }) {
    for (const message of messages) streams.get(stream).write(bytes(message))
  },

  // `count` messages of `size` bytes, each filled with its number modulo 256.
  fill ({ stream, count, size }) {
    for (let i = 0; i < count; i++) streams.get(stream).write(Buffer.alloc(size, i))
  },

  received ({ stream }) {
    const { hash, count } = digests.get(stream)
    return { count, digest: hash.copy().digest('hex') }
  },

  end ({ stream }) {
    streams.get(stream).end()
  },

  mux ({ stream, protocols }) {
    const mux = Protomux.from(streams.get(stream))
    for (const protocol of protocols) {
      // No channel is made here, so the open is rejected right after, unless `answer` names the protocol.
      mux.pair({ protocol }, (id) => { emit('channel.asked', { protocol, id: hex(id) }) })
    }
  },

  // Answers opens of `protocol` from now on.
  answer ({ stream, protocol, handshake }) {
    const mux = Protomux.from(streams.get(stream))
    mux.pair({ protocol }, (id) => {
      const channel = mux.createChannel({ protocol, id, handshake: c.raw })
      const handle = channels.add(channel)
      watch(channel, handle)
      channel.open(bytes(handshake))
      emit('channel.answered', { channel: handle, protocol, id: hex(id) })
    })
  },

  open ({ stream, protocol, id, handshake, aliases, cork }) {
    const mux = Protomux.from(streams.get(stream))
    const channel = mux.createChannel({ protocol, id: bytes(id), aliases, handshake: c.raw })
    const handle = channels.add(channel)
    watch(channel, handle)
    if (cork) mux.cork()
    channel.open(bytes(handshake))
    if (cork) mux.uncork()
    return { channel: handle }
  },

  // `messages` are [channel, kind, data]; with `cork` they leave in one batch.
  post ({ messages, cork }) {
    const mux = channels.get(messages[0][0])._mux
    if (cork) mux.cork()
    for (const [channel, kind, data] of messages) channels.get(channel).messages[kind].send(bytes(data))
    if (cork) mux.uncork()
  },

  close ({ channel }) {
    channels.get(channel).close()
  }
})
