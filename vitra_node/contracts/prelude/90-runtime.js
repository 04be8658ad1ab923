// Runs the contract: a fresh module instance for each operation and call, drained to the end.

var MAX_BATCH_CHARS = 4194304

var factory

// Lines of the contract that ran since the host last asked, where it was compiled to tell them.
var lines = []
var knownLines = Object.create(null)

function passLine (line) {
  if (knownLines[line]) return
  knownLines[line] = true
  lines.push(line)
}

function passedLines () {
  var found = lines
  lines = []
  return found
}

var FACTORY_PARAMETERS = ['exports', 'require', 'babelHelpers', '__vitra_t', '__vitra_n', '__vitra_c',
  '__vitra_a', '__vitra_b', '__vitra_w', '__vitra_g', '__vitra_y', '__vitra_s', '__vitra_f', '__vitra_d',
  '__vitra_o', '__vitra_l', '__vitra_x', '__vitra_u', '__vitra_p']

var FACTORY_ARGUMENTS = [undefined, requireModule, helpers, tick, charge, caught, asyncCall, asyncApply,
  awaitValue, generatorCall, yieldValue, yieldAll, forAwait, usedTooEarly, withPrototype, passLine,
  literalPattern, numberOf, privateNames]

function load (code) {
  factory = evaluate('(function (' + FACTORY_PARAMETERS.join(', ') + ') {' + code + '\n})')
}

function instantiate () {
  var exports = {}
  FACTORY_ARGUMENTS[0] = exports
  factory.apply(undefined, FACTORY_ARGUMENTS)
  return exports
}

function reset (newMode, limit) {
  mode = newMode
  // Cleaning up after the work before is not paid by this one: it costs the same in a new process.
  fuel = FUEL_PER_CALL
  latch = LATCH_NONE
  isSealed = true
  applyPromise = undefined
  resetJobs()
  resetCoroutines()
  resetReads()
  resetObjectIds()
  resetChanges()
  fuel = limit
}

// How the running work ended: with a value, with an error, or by a latch.
var VALUE = 1
var ERROR = 2
var STOPPED = 3
var ending = 0
var ended

function endWithValue (value) {
  ending = VALUE
  ended = value
}

function endWithError (error) {
  ending = ERROR
  ended = error
}

// Runs work(a, b) until nothing is left to run, and says how it ended in `ending` and `ended`.
function runToEnd (work, a, b) {
  ending = 0
  ended = undefined
  try {
    applyPromise = begin(work, a, b)
    listen(applyPromise, endWithValue, endWithError)
    drain()
    if (ending === 0) {
      endWithError(new Error('the function never ended: it waits for a promise that nobody resolves'))
    }
    if (ending === VALUE && unheard.length > 0) findUnheard()
  } catch (error) {
    if (latch === LATCH_NONE && error !== STOP) endWithUncaught(error)
  }
  isSealed = true
  if (latch !== LATCH_NONE) {
    ending = STOPPED
    ended = latch
  }
}

function begin (work, a, b) {
  try {
    return promiseOf(work(a, b))
  } catch (error) {
    return rejectedWith(caught(error))
  }
}

function findUnheard () {
  for (var i = 0; i < unheard.length; i++) {
    if (!unheard[i].heard) {
      endWithError(unheard[i].value)
      return
    }
  }
}

// Thrown by a job of its own, as those of queueMicrotask.
function endWithUncaught (error) {
  try {
    endWithError(caught(error))
  } catch (stopped) {}
}

// Making the text of an error runs the contract's code too.
function failureText (error) {
  try {
    return errorText(error)
  } catch (stopped) {
    return latch === LATCH_NONE ? 'thrown: a value without a text' : undefined
  }
}

function applyOperation (exports, op, ack) {
  var apply = exports.apply
  if (typeof apply === 'function') return apply(tx, op, ack)
  var name = isObject(op) ? op.op : undefined
  if (typeof name === 'string' && isObject(apply) && hasOwn.call(apply, name) &&
      typeof apply[name] === 'function') {
    return apply[name](tx, op, ack)
  }
  throw new Error('apply has no operation ' + describe(name))
}

function callProcess (request) {
  var exports = instantiate()
  // A copy, because process may change it.
  return typeof exports.process === 'function' ? exports.process(fromWire(request.op)) : undefined
}

// The metadata that process gives; a process that fails gives none, and apply decides. Gives a
// latch when the machine, not the contract, ended it.
var processed

function runProcess (request) {
  processed = null
  reset('process', FUEL_PER_OPERATION)
  runToEnd(callProcess, request)
  if (ending === VALUE && ended !== undefined) {
    runToEnd(toWire, ended, 'metadata')
    if (ending === VALUE) processed = ended
  }
  return ending === STOPPED && ended !== LATCH_FUEL ? ended : undefined
}

function callApply (request, metadata) {
  var ack = {
    origin: request.origin,
    seq: request.seq,
    ts: request.ts,
    metadata: metadata === null ? undefined : fromWire(metadata)
  }
  // Decoded for this operation alone; without tags it is already what the contract sees.
  var op = request.tags ? fromWire(request.op) : request.op
  isSealed = false
  return applyOperation(instantiate(), op, ack)
}

var operationTime = 0

function tellOperationTime () { return operationTime }

function runOperation (request) {
  if (request.refused !== undefined) {
    reset('apply', FUEL_PER_OPERATION)
    printed = []
    return { latch: undefined, metadata: null, error: request.refused, changes: [], fuel: 0 }
  }
  printed = []
  operationTime = request.ts
  clock = tellOperationTime
  var metadata = request.m
  if (request.process) {
    var stopped = runProcess(request)
    if (stopped !== undefined) return { latch: stopped }
    metadata = processed
  }
  reset('apply', FUEL_PER_OPERATION)
  runToEnd(callApply, request, metadata)
  var result = { latch: undefined, metadata: metadata, error: undefined, changes: [], fuel: 0 }
  if (ending === ERROR) {
    result.line = lineOf(ended)
    result.error = failureText(ended)
  }
  if (latch !== LATCH_NONE) result.latch = latch
  if (latch === LATCH_FUEL) result.error = 'out of fuel'
  result.fuel = FUEL_PER_OPERATION - Math.max(fuel, 0)
  if (result.error === undefined && latch === LATCH_NONE && changeCount > 0) {
    for (var path in changes) result.changes.push(changes[path])
  }
  return result
}

function remember (list) {
  list.forEach(function (change) {
    if (change[0] !== 'p' && change[0] !== 'd') return
    var path = change[1]
    if (overlay[path] === undefined) overlayPaths.push(path)
    overlay[path] = change[0] === 'p' ? { deleted: false, value: change[2] } : { deleted: true }
  })
}

function changesTheRules (list) {
  return list.some(function (change) { return change[0] !== 'p' && change[0] !== 'd' })
}

function applyBatch (message) {
  resetBatch()
  seed = message.seed
  var results = []
  var chars = 0
  for (var i = 0; i < message.requests.length; i++) {
    var result = runOperation(message.requests[i])
    if (result.latch === LATCH_MEMORY) return { t: 'memory', results: results }
    if (result.latch === LATCH_BREAK) break
    var sent = { e: result.error, m: result.metadata, c: result.changes, r: reads, f: result.fuel }
    if (result.line > 0) sent.l = result.line
    if (printed.length > 0) sent.o = printed
    // One by one when the batch before broke its worker: what is done must not be lost again.
    if (message.stream) HOST('frame', { t: 'step', result: sent })
    else results.push(sent)
    chars += changeChars
    // Outside of an operation nothing counts.
    fuel = FUEL_PER_CALL
    latch = LATCH_NONE
    if (changesTheRules(result.changes) || chars > MAX_BATCH_CHARS) break
    remember(result.changes)
    hasUnseenAcks = true
  }
  return { t: 'applied', results: results }
}

function startMethod (message) {
  var exports = instantiate()
  var method = exports[message.method]
  if (message.method === 'apply' || message.method === 'process' ||
      !hasOwn.call(exports, message.method) || typeof method !== 'function') {
    throw new Error('the contract has no method ' + describe(message.method))
  }
  return method(fromWire(message.params), emit)
}

function callMethod (call) {
  seed = call.seed
  operationTime = call.now
  clock = tellOperationTime
  printed = []
  emitted = []
  reset('call', FUEL_PER_CALL)
  runToEnd(startMethod, call)
  if (ending === VALUE && ended !== undefined) {
    runToEnd(toWire, ended, 'the response')
    answeredChars += MAX_VALUE_CHARS - charsLeft
  }
  if (ending === STOPPED) return undefined
  if (ending === ERROR) {
    var text = failureText(ended)
    return text === undefined ? undefined : { e: text, l: lineOf(ended), o: printed }
  }
  return { v: ended === undefined ? null : ended, ops: emitted, o: printed }
}

// What the calls of a frame have answered and emitted, and how long they may take until those who
// have their answer should get it.
var answeredChars = 0
var MAX_CALLS_MILLISECONDS = 50

function callTogether (message) {
  if (message.fresh) hostCache = Object.create(null)
  checkedPaths = Object.create(null)
  answeredChars = 0
  var begun = new NativeDate().getTime()
  var results = []
  for (var i = 0; i < message.calls.length; i++) {
    var result = callMethod(message.calls[i])
    if (result === undefined) return { t: 'memory' }
    results.push(result)
    if (answeredChars > MAX_BATCH_CHARS) break
    if (new NativeDate().getTime() - begun > MAX_CALLS_MILLISECONDS) break
  }
  return { t: 'called', results: results }
}

function emit (op) {
  if (mode !== 'call') throw new Error('emit: only methods emit operations')
  var wire = toWire(op, 'emit')
  if (emitted.length >= MAX_CHANGES) {
    throw new RangeError('emit: a call emits at most ' + MAX_CHANGES + ' operations')
  }
  answeredChars += MAX_VALUE_CHARS - charsLeft
  emitted.push(wire)
}

function handle (message) {
  switch (message.t) {
    case 'load':
      load(message.code)
      return { t: 'loaded' }
    case 'apply': return applyBatch(message)
    case 'call': return callTogether(message)
    case 'lines': return { t: 'lines', lines: passedLines() }
  }
  throw new Error('unknown message')
}

function serve () {
  var answer = { t: 'ready' }
  for (;;) {
    var message = HOST('frame', answer)
    try {
      answer = handle(message)
    } catch (error) {
      answer = isOutOfMemory(error) ? { t: 'memory' } : { t: 'broken', e: String(error) }
    }
  }
}
