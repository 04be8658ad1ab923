// A peer that speaks plain UDX; driven by rpc.mjs.
//
// Events of a stream: `data` (unless quiet), `message`, `end`, `error`, `close`.
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { Handles, bytes, emit, hex, serve } from './rpc.mjs'

const require = createRequire(import.meta.url)
const UDX = require('udx-native')

const udx = new UDX()
const streams = new Handles()

serve({
  // A stream and a socket of its own; not connected yet.
  open ({ id, quiet, host }) {
    const socket = udx.createSocket()
    socket.bind(0, host || '127.0.0.1')
    // Takes packets that come before `connect`.
    const stream = udx.createStream(id, { firewall: () => false })
    const hash = createHash('sha256')
    const state = { stream, socket, hash, count: 0 }
    const handle = streams.add(state)
    stream.on('data', (data) => {
      state.count += data.length
      hash.update(data)
      if (!quiet) emit('data', { stream: handle, data: hex(data) })
    })
    stream.on('message', (data) => emit('message', { stream: handle, data: hex(data) }))
    stream.on('end', () => emit('end', { stream: handle }))
    stream.on('error', (error) => emit('error', { stream: handle, code: error.code || null, message: String(error.message) }))
    stream.on('close', () => emit('close', { stream: handle }))
    return { stream: handle, port: socket.address().port }
  },

  connect ({ stream, id, port, host }) {
    const { stream: udxStream, socket } = streams.get(stream)
    udxStream.connect(socket, id, port, host)
  },

  write ({ stream, data }) {
    streams.get(stream).stream.write(bytes(data))
  },

  // `count` chunks of `size` bytes, each filled with its number modulo 256.
  fill ({ stream, count, size }) {
    for (let i = 0; i < count; i++) streams.get(stream).stream.write(Buffer.alloc(size, i))
  },

  received ({ stream }) {
    const { hash, count } = streams.get(stream)
    return { count, digest: hash.copy().digest('hex') }
  },

  end ({ stream }) {
    streams.get(stream).stream.end()
  },

  destroy ({ stream }) {
    streams.get(stream).stream.destroy()
  },

  message ({ stream, data }) {
    return streams.get(stream).stream.trySend(bytes(data))
  },

  keepAlive ({ stream, ms }) {
    streams.get(stream).stream.setKeepalive(ms)
  },

  // Stops taking bytes from the stream, and goes on.
  pause ({ stream }) {
    streams.get(stream).stream.pause()
  },

  resume ({ stream }) {
    streams.get(stream).stream.resume()
  },

  figures ({ stream }) {
    const { stream: s } = streams.get(stream)
    return { mtu: s.mtu, rtt: s.rtt, cwnd: s.cwnd, retransmits: s.retransmits, sent: s.packetsTransmitted, received: s.packetsReceived }
  }
})
