// JSON lines over stdin and stdout: one request or reply a line, and events that nobody asked for.
//
//   {"id": 1, "method": "core.append", "args": {…}}   ->  {"id": 1, "result": …}
//                                                      or  {"id": 1, "error": {"message", "code", "stack"}}
//   {"event": "connection", "data": {…}}
//
// Bytes are hex in both directions. The process ends when its stdin ends, so a dead test leaves nothing behind.
import readline from 'node:readline'

export const hex = (buffer) => (buffer === null || buffer === undefined ? null : Buffer.from(buffer).toString('hex'))
export const bytes = (text) => (text === null || text === undefined ? null : Buffer.from(text, 'hex'))

function write (message) {
  process.stdout.write(JSON.stringify(message) + '\n')
}

export function emit (event, data = {}) {
  write({ event, data })
}

// Objects a test refers to by number.
export class Handles {
  constructor () {
    this.next = 1
    this.objects = new Map()
  }

  add (object) {
    const handle = this.next++
    this.objects.set(handle, object)
    return handle
  }

  get (handle) {
    const object = this.objects.get(handle)
    if (!object) throw new Error(`no object has the handle ${handle}`)
    return object
  }

  delete (handle) {
    this.objects.delete(handle)
  }
}

export function serve (methods, onend = async () => {}) {
  const lines = readline.createInterface({ input: process.stdin, crlfDelay: Infinity })

  lines.on('line', async (line) => {
    const { id, method, args } = JSON.parse(line)
    try {
      if (!Object.hasOwn(methods, method)) throw new Error(`no method ${method}`)
      const result = await methods[method](args || {})
      write({ id, result: result === undefined ? null : result })
    } catch (error) {
      write({ id, error: { message: String(error.message), code: error.code || null, stack: String(error.stack) } })
    }
  })

  lines.on('close', async () => {
    try {
      await onend()
    } catch (error) {
      console.error(error)
    }
    process.exit(0)
  })

  emit('ready', { pid: process.pid, node: process.version })
}
