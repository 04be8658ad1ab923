// Runs the contract: a fresh module instance for each operation and call, drained to the end.

var MAX_BATCH_CHARS = 4194304

var factory

var FACTORY_PARAMETERS = ['exports', 'require', 'babelHelpers', '__vitra_t', '__vitra_n', '__vitra_c',
  '__vitra_a', '__vitra_b', '__vitra_w', '__vitra_g', '__vitra_y', '__vitra_s', '__vitra_f', '__vitra_d',
  '__vitra_o']

var FACTORY_ARGUMENTS = [undefined, requireModule, helpers, tick, charge, caught, asyncCall, asyncApply,
  awaitValue, generatorCall, yieldValue, yieldAll, forAwait, usedTooEarly, withPrototype]

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
  fuel = limit
  latch = LATCH_NONE
  if (emitted.length > 0) emitted = []
  isSealed = true
  applyPromise = undefined
  resetJobs()
  resetCoroutines()
  resetReads()
  resetObjectIds()
  resetChanges()
}

// Runs work() until nothing is left to run. Gives { error } or { value }, or throws STOP.
function settleAll (work) {
  var outcome
  var promise
  try {
    promise = promiseOf(work())
  } catch (error) {
    promise = rejectedWith(caught(error))
  }
  applyPromise = promise
  listen(promise, function (value) {
    outcome = { value: value }
  }, function (error) {
    outcome = { error: error }
  })
  drain()
  if (outcome === undefined) {
    return { error: new Error('the function never ended: it waits for a promise that nobody resolves') }
  }
  if (!hasOwn.call(outcome, 'error')) {
    for (var i = 0; i < unheard.length; i++) {
      if (!unheard[i].heard) return { error: unheard[i].value }
    }
  }
  return outcome
}

// Like settleAll, for what may not throw: STOP turns into its latch.
function settleSafely (work) {
  var outcome
  try {
    outcome = settleAll(work)
  } catch (error) {
    if (latch === LATCH_NONE && error !== STOP) {
      try {
        outcome = { error: caught(error) }
      } catch (stopped) {}
    }
  }
  isSealed = true
  return latch === LATCH_NONE ? outcome : { latch: latch }
}

function failureText (outcome) {
  // Making the text runs the contract's code too.
  try {
    return errorText(outcome.error)
  } catch (error) {
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

// The metadata that process gives; a process that fails gives none, and apply decides.
function runProcess (request) {
  reset('process', FUEL_PER_OPERATION)
  var metadata = null
  var outcome = settleSafely(function () {
    var exports = instantiate()
    // A copy, because process may change it.
    return typeof exports.process === 'function' ? exports.process(fromWire(request.op)) : undefined
  })
  if (outcome.latch === undefined && outcome.error === undefined && outcome.value !== undefined) {
    var sent = settleSafely(function () { return toWire(outcome.value, 'metadata') })
    if (sent.latch === undefined && !hasOwn.call(sent, 'error')) metadata = sent.value
    outcome = sent
  }
  return { metadata: metadata, latch: outcome.latch }
}

function runOperation (request) {
  if (request.refused !== undefined) {
    reset('apply', FUEL_PER_OPERATION)
    return { latch: undefined, metadata: null, error: request.refused, changes: [] }
  }
  var ts = request.ts
  clock = function () { return ts }
  var metadata = request.m
  if (request.process) {
    var processed = runProcess(request)
    if (processed.latch === LATCH_MEMORY || processed.latch === LATCH_BREAK) return processed
    metadata = processed.metadata
  }
  reset('apply', FUEL_PER_OPERATION)
  isSealed = false
  var outcome = settleSafely(function () {
    var ack = { origin: request.origin, seq: request.seq, ts: ts, metadata: metadata === null ? undefined : fromWire(metadata) }
    // Decoded for this operation alone; without tags it is already what the contract sees.
    var op = request.tags ? fromWire(request.op) : request.op
    return applyOperation(instantiate(), op, ack)
  })
  var result = { latch: outcome.latch, metadata: metadata, error: undefined, changes: [] }
  if (outcome.latch === undefined && hasOwn.call(outcome, 'error')) {
    result.error = failureText(outcome)
    if (latch !== LATCH_NONE) result.latch = latch
  }
  if (result.latch === LATCH_FUEL) result.error = 'out of fuel'
  if (result.error === undefined && result.latch === undefined) {
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
  isApply = true
  resetBatch()
  seed = message.seed
  var results = []
  var chars = 0
  for (var i = 0; i < message.requests.length; i++) {
    var result = runOperation(message.requests[i])
    if (result.latch === LATCH_MEMORY) return { t: 'memory', results: results }
    if (result.latch === LATCH_BREAK) break
    var sent = { e: result.error, m: result.metadata, c: result.changes, r: reads }
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

function callMethod (message) {
  isApply = false
  resetBatch()
  seed = message.seed
  var now = message.now
  clock = function () { return now }
  reset('call', FUEL_PER_CALL)
  var outcome = settleSafely(function () {
    var exports = instantiate()
    var method = exports[message.method]
    if (message.method === 'apply' || message.method === 'process' ||
        !hasOwn.call(exports, message.method) || typeof method !== 'function') {
      throw new Error('the contract has no method ' + describe(message.method))
    }
    return method(fromWire(message.params), emit)
  })
  if (outcome.latch === undefined && !hasOwn.call(outcome, 'error') && outcome.value !== undefined) {
    var value = outcome.value
    outcome = settleSafely(function () { return toWire(value, 'the response') })
  }
  if (outcome.latch !== undefined) return { t: 'memory' }
  if (hasOwn.call(outcome, 'error')) {
    var text = failureText(outcome)
    return text === undefined ? { t: 'memory' } : { t: 'threw', e: text }
  }
  return { t: 'returned', v: outcome.value === undefined ? null : outcome.value, ops: emitted }
}

function emit (op) {
  if (mode !== 'call') throw new Error('emit: only methods emit operations')
  var wire = toWire(op, 'emit')
  if (emitted.length >= MAX_CHANGES) {
    throw new RangeError('emit: a call emits at most ' + MAX_CHANGES + ' operations')
  }
  emitted.push(wire)
}

function handle (message) {
  switch (message.t) {
    case 'load':
      load(message.code)
      return { t: 'loaded' }
    case 'apply': return applyBatch(message)
    case 'call': return callMethod(message)
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
