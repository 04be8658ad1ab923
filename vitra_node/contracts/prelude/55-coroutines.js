// Async functions and generators run as coroutines of the engine. The compiler turns
//
//   async function f (a) { … await x … }   into   function f (a) { return async((a) => { … await_(x) … }, a) }
//
// and generators alike, so bodies stay as written. A body yields only from its own frames, never
// across a built-in, because `await` and `yield` belong to the innermost function.

// Each waiting coroutine holds a stack of its own; both bounds keep an operation below 16 MiB.
var MAX_ASYNC_DEPTH = 500
var MAX_WAITING_COROUTINES = 2000

var depth = 0
var waiting = 0
// Ended ones are used again, also by later operations: the engine's stacks are dear to make.
var idle = []
var MAX_IDLE_COROUTINES = 64

// Thrown into a generator's body by `return()`: runs its finally blocks, passes its catch blocks.
var UNWIND = Object.freeze({ toString: function () { return 'generator returned' } })
var FINISHED = { finished: true }

function resetCoroutines () {
  depth = 0
  waiting = 0
}

function Coroutine () {
  var self = this
  this.run = undefined
  this.a = undefined
  this.b = undefined
  this.c = undefined
  this.d = undefined
  this.threw = false
  this.result = undefined
  // The promise of the async function, and what its awaits go on with.
  this.promise = undefined
  this.onValue = function (value) {
    waiting--
    runAsync(self, value, false)
  }
  this.onError = function (error) {
    waiting--
    runAsync(self, error, true)
  }
  this.thread = new Thread(function () {
    for (;;) {
      try {
        self.result = self.run(self.a, self.b, self.c, self.d)
        self.threw = false
      } catch (error) {
        self.result = error
        self.threw = true
      }
      YIELD(FINISHED)
    }
  })
}

function startCoroutine (run, a, b, c, d) {
  var coroutine = idle.length > 0 ? idle.pop() : new Coroutine()
  coroutine.run = run
  coroutine.a = a
  coroutine.b = b
  coroutine.c = c
  coroutine.d = d
  return coroutine
}

// Runs the body until it waits, yields or ends; gives what it yielded, or FINISHED.
function resume (coroutine, value, isError) {
  if (depth >= MAX_ASYNC_DEPTH) {
    throw new RangeError('Maximum depth of async functions and generators exceeded')
  }
  var before = depth++
  try {
    return RESUME(coroutine.thread, value, isError)
  } finally {
    depth = before
  }
}

function release (coroutine) {
  coroutine.run = coroutine.a = coroutine.b = coroutine.c = coroutine.d = undefined
  coroutine.result = coroutine.promise = undefined
  if (idle.length < MAX_IDLE_COROUTINES) idle.push(coroutine)
}

// Making a coroutine and reusing one must not differ in where the stack ends, so both are sure of
// more of it than they need.
function needAsyncStack () {
  descend(6)
}

function descend (count) {
  if (count > 0) descend(count - 1)
  else nativeForEach.call(NOTHING, descend)
}

var NOTHING = []

function runAsync (coroutine, value, isError) {
  var awaited
  try {
    awaited = resume(coroutine, value, isError)
  } catch (error) {
    // Only the depth: the body's own errors are results.
    rejectPromise(coroutine.promise, caught(error))
    return
  }
  if (awaited === FINISHED) {
    var promise = coroutine.promise
    var result = coroutine.result
    var threw = coroutine.threw
    release(coroutine)
    if (threw) rejectPromise(promise, caught(result))
    else resolvePromise(promise, result)
    return
  }
  if (++waiting > MAX_WAITING_COROUTINES) {
    rejectPromise(coroutine.promise, new RangeError('Too many async functions wait at the same time'))
    return
  }
  listen(awaited, coroutine.onValue, coroutine.onError)
}

// async(body, a, b, c, d): at most four arguments, the compiler sees to it.
function asyncCall (body, a, b, c, d) {
  charge(ASYNC_FUEL)
  needAsyncStack()
  var coroutine = startCoroutine(body, a, b, c, d)
  var promise = coroutine.promise = new BarePromise()
  runAsync(coroutine, undefined, false)
  return promise
}

// For parameters with defaults or patterns, whose errors reject the promise.
function asyncApply (body, list) {
  return asyncCall(function () { return body.apply(undefined, list) })
}

// An await charges its thread switch; the driver listens to what it yields.
function awaitValue (value) {
  charge(5)
  return YIELD(promiseOf(value))
}

// Generators ---------------------------------------------------------------------------------

var GENERATOR = Symbol('generator')
INTERNAL_SYMBOLS.push(GENERATOR)
var GeneratorPrototype = Object.create(IteratorPrototype)
defineProperty(GeneratorPrototype, Symbol.toStringTag, { value: 'Generator', configurable: true })

function generatorCall (body, a, b, c, d) {
  var generator = Object.create(GeneratorPrototype)
  charge(ASYNC_FUEL)
  defineProperty(generator, GENERATOR, {
    value: { begin: [body, a, b, c, d], coroutine: undefined, running: false, ended: false }
  })
  return generator
}

function generatorState (generator) {
  if (!isObject(generator) || !hasOwn.call(generator, GENERATOR)) {
    throw new TypeError('next method called on incompatible receiver ' + describe(generator))
  }
  var state = generator[GENERATOR]
  if (state.running) throw new TypeError('Generator is already running')
  return state
}

function advance (state, value, isError) {
  var first = state.coroutine === undefined
  if (first) {
    if (++waiting > MAX_WAITING_COROUTINES) {
      throw new RangeError('Too many generators are open at the same time')
    }
    needAsyncStack()
    var begin = state.begin
    state.coroutine = startCoroutine(begin[0], begin[1], begin[2], begin[3], begin[4])
    state.begin = undefined
    value = undefined
  }
  state.running = true
  var out
  try {
    out = resume(state.coroutine, value, isError)
  } finally {
    state.running = false
  }
  if (out !== FINISHED) return { value: out.value, done: false }
  waiting--
  var coroutine = state.coroutine
  var result = coroutine.result
  var threw = coroutine.threw
  coroutine.result = undefined
  state.ended = true
  state.coroutine = undefined
  release(coroutine)
  if (threw && result !== UNWIND) throw caught(result)
  return { value: threw ? state.returned : result, done: true }
}

hidden(GeneratorPrototype, {
  next: function next (value) {
    var state = generatorState(this)
    if (state.ended) return { value: undefined, done: true }
    return advance(state, value, false)
  },
  'throw': function (error) {
    var state = generatorState(this)
    if (state.ended || state.coroutine === undefined) {
      state.ended = true
      throw error
    }
    return advance(state, error, true)
  },
  'return': function (value) {
    var state = generatorState(this)
    if (state.ended || state.coroutine === undefined) {
      state.ended = true
      return { value: value, done: true }
    }
    state.returned = value
    return advance(state, UNWIND, true)
  }
})

function yieldValue (value) {
  charge(5)
  return YIELD({ value: value })
}

// `yield*`: hands on what comes from the inner iterator, and to it what comes from outside.
function yieldAll (iterable) {
  var iterator = getIterator(iterable)
  var next = iterator.next
  var step = next.call(iterator, undefined)
  for (;;) {
    tick()
    if (!isObject(step)) throw new TypeError('Iterator result ' + describe(step) + ' is not an object')
    if (step.done) return step.value
    var received
    var error
    var threw = false
    try {
      received = YIELD({ value: step.value })
    } catch (thrown) {
      error = thrown
      threw = true
    }
    if (!threw) {
      step = next.call(iterator, received)
    } else if (error === UNWIND) {
      closeIterator(iterator)
      throw UNWIND
    } else {
      caught(error)
      var raise = iterator.throw
      if (raise === undefined || raise === null) {
        closeIterator(iterator)
        throw new TypeError('The iterator does not provide a throw method')
      }
      step = raise.call(iterator, error)
    }
  }
}

function closeIterator (iterator) {
  var close = iterator.return
  if (close !== undefined && close !== null) close.call(iterator)
}

// `for await (x of iterable)`: a plain iterator whose steps wait inside the loop's own coroutine.
function forAwait (iterable) {
  var make = iterable === undefined || iterable === null ? undefined : iterable[ASYNC_ITERATOR]
  var isAsync = make !== undefined && make !== null
  var iterator = isAsync ? make.call(iterable) : getIterator(iterable)
  if (!isObject(iterator)) throw new TypeError('Result of the Symbol.asyncIterator method is not an object')
  var next = iterator.next
  var steps = {
    next: function () {
      var step = awaitValue(isAsync ? next.call(iterator) : promisedStep(iterator, next))
      if (!isObject(step)) throw new TypeError('Iterator result ' + describe(step) + ' is not an object')
      return step
    },
    'return': function () {
      var close = iterator.return
      if (isAsync) {
        if (close === undefined || close === null) return
        var closed = awaitValue(close.call(iterator))
        if (!isObject(closed)) throw new TypeError('Iterator result ' + describe(closed) + ' is not an object')
      } else {
        awaitValue(close === undefined || close === null ? promiseOf(undefined) : promisedStep(iterator, close))
      }
    }
  }
  steps[ITERATOR] = function () { return steps }
  return steps
}

// A step of a plain iterator as the standard makes it asynchronous: a promise that follows the one
// of the value, so that the loop goes on two jobs after that is fulfilled. Its errors reject.
function promisedStep (iterator, work) {
  try {
    var step = work.call(iterator)
    if (!isObject(step)) throw new TypeError('Iterator result ' + describe(step) + ' is not an object')
    var done = !!step.done
    var value = promiseOf(step.value)
  } catch (error) {
    return rejectedWith(caught(error))
  }
  charge(PROMISE_FUEL)
  var promise = newPromise()
  listen(value, function (result) {
    resolvePromise(promise, { value: result, done: done })
  }, function (error) { rejectPromise(promise, error) })
  return promise
}
