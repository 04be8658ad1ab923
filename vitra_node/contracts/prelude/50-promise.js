// Promises with the job order of the standard, on one queue that the host drains to the end.

var PENDING = 0
var FULFILLED = 1
var REJECTED = 2

var jobs = []
// Rejected promises nobody listens to (yet).
var unheard = []

function resetJobs () {
  if (jobs.length > 0) jobs = []
  if (unheard.length > 0) unheard = []
}

function drain () {
  // A callback and its argument after each other: a closure for each job would cost more.
  for (var at = 0; at < jobs.length; at += 2) {
    if (--fuel < 0) stop(LATCH_FUEL)
    var callback = jobs[at]
    var value = jobs[at + 1]
    jobs[at] = jobs[at + 1] = undefined
    callback(value)
    if (at > 2000) {
      jobs = nativeSlice.call(jobs, at + 2)
      at = -2
    }
  }
  jobs.length = 0
}

var PROMISE = Symbol('promise')
INTERNAL_SYMBOLS.push(PROMISE)

function State () {
  this.state = PENDING
  this.value = undefined
  this.reactions = undefined
  this.heard = false
}

function PromiseConstructor (executor) {
  if (!(this instanceof PromiseConstructor) || hasOwn.call(this, PROMISE)) {
    throw new TypeError("Promise constructor cannot be invoked without 'new'")
  }
  needsFunction(executor)
  charge(PROMISE_FUEL)
  var promise = this
  initPromise(promise)
  var settle = resolvers(promise)
  try {
    executor(settle.resolve, settle.reject)
  } catch (error) {
    settle.reject(caught(error))
  }
}

function initPromise (promise) {
  promise[PROMISE] = new State()
}

function newPromise () {
  return new BarePromise()
}

// A promise without an executor; its prototype is set below.
function BarePromise () {
  this[PROMISE] = new State()
}

function isPromise (value) {
  return isObject(value) && value[PROMISE] !== undefined
}

function resolvers (promise) {
  var done = false
  return {
    resolve: function (value) {
      if (done) return
      done = true
      resolvePromise(promise, value)
    },
    reject: function (error) {
      if (done) return
      done = true
      rejectPromise(promise, error)
    }
  }
}

function resolvePromise (promise, value) {
  if (!isObject(value)) return settle(promise, FULFILLED, value)
  if (value === promise) {
    return rejectPromise(promise, new TypeError('Chaining cycle detected for promise #<Promise>'))
  }
  var then
  try {
    then = value.then
  } catch (error) {
    return rejectPromise(promise, caught(error))
  }
  if (typeof then !== 'function') return settle(promise, FULFILLED, value)
  charge(PROMISE_FUEL)
  jobs.push(function () {
    var settle = resolvers(promise)
    try {
      then.call(value, settle.resolve, settle.reject)
    } catch (error) {
      settle.reject(caught(error))
    }
  }, undefined)
}

function rejectPromise (promise, error) {
  settle(promise, REJECTED, error)
}

function settle (promise, state, value) {
  var self = promise[PROMISE]
  self.state = state
  self.value = value
  var reactions = self.reactions
  self.reactions = undefined
  if (reactions !== undefined) {
    for (var i = 0; i < reactions.length; i++) queueReaction(reactions[i], self)
  }
  if (state === REJECTED && !self.heard) unheard.push(self)
}

// The basic step: no promise of its own, the callbacks are the prelude's.
function listen (promise, onFulfilled, onRejected) {
  var self = promise[PROMISE]
  self.heard = true
  var reaction = { fulfilled: onFulfilled, rejected: onRejected }
  if (self.state === PENDING) {
    if (self.reactions === undefined) self.reactions = [reaction]
    else self.reactions.push(reaction)
  } else {
    queueReaction(reaction, self)
  }
}

function queueReaction (reaction, self) {
  jobs.push(self.state === FULFILLED ? reaction.fulfilled : reaction.rejected, self.value)
}

function chain (promise, onFulfilled, onRejected) {
  charge(PROMISE_FUEL)
  var next = newPromise()
  function pass (callback, otherwise) {
    if (typeof callback !== 'function') return otherwise
    return function (value) {
      var result
      try {
        result = callback(value)
      } catch (error) {
        rejectPromise(next, caught(error))
        return
      }
      resolvePromise(next, result)
    }
  }
  listen(promise,
    pass(onFulfilled, function (value) { resolvePromise(next, value) }),
    pass(onRejected, function (error) { rejectPromise(next, error) }))
  return next
}

// `Promise.resolve`: a promise stays itself.
function promiseOf (value) {
  if (isPromise(value)) return value
  charge(PROMISE_FUEL)
  var promise = newPromise()
  resolvePromise(promise, value)
  return promise
}

// For values of our own, which have no "then".
function fulfilledWith (value) {
  var promise = new BarePromise()
  var self = promise[PROMISE]
  self.state = FULFILLED
  self.value = value
  return promise
}

function rejectedWith (error) {
  var promise = newPromise()
  rejectPromise(promise, error)
  return promise
}

BarePromise.prototype = PromiseConstructor.prototype

hidden(PromiseConstructor.prototype, {
  then: function then (onFulfilled, onRejected) {
    if (!isPromise(this)) throw new TypeError('Promise.prototype.then called on ' + describe(this))
    return chain(this, onFulfilled, onRejected)
  },
  'catch': function (onRejected) { return this.then(undefined, onRejected) },
  'finally': function (callback) {
    if (typeof callback !== 'function') return this.then(callback, callback)
    return this.then(function (value) {
      return promiseOf(callback()).then(function () { return value })
    }, function (error) {
      return promiseOf(callback()).then(function () { throw error })
    })
  }
})

// Runs begin(index, promise, finish) for each item; the combinators differ in what settles them.
function combine (iterable, begin, whenEmpty) {
  var result = newPromise()
  var out = resolvers(result)
  try {
    var index = 0
    var missing = 1
    var finish = function () {
      if (--missing === 0) whenEmpty(out)
    }
    iterate(iterable, function (item) {
      missing++
      begin(index++, PromiseConstructor.resolve(item), out, finish)
    })
    finish()
  } catch (error) {
    out.reject(caught(error))
  }
  return result
}

hidden(PromiseConstructor, {
  resolve: function resolve (value) { return promiseOf(value) },
  reject: function reject (error) { return rejectedWith(error) },
  all: function all (iterable) {
    var values = []
    return combine(iterable, function (index, promise, out, finish) {
      promise.then(function (value) {
        values[index] = value
        finish()
      }, out.reject)
    }, function (out) { out.resolve(values) })
  },
  allSettled: function allSettled (iterable) {
    var results = []
    return combine(iterable, function (index, promise, out, finish) {
      promise.then(function (value) {
        results[index] = { status: 'fulfilled', value: value }
        finish()
      }, function (reason) {
        results[index] = { status: 'rejected', reason: reason }
        finish()
      })
    }, function (out) { out.resolve(results) })
  },
  any: function any (iterable) {
    var errors = []
    return combine(iterable, function (index, promise, out, finish) {
      promise.then(out.resolve, function (reason) {
        errors[index] = reason
        finish()
      })
    }, function (out) {
      out.reject(new AggregateErrorConstructor(errors, 'All promises were rejected'))
    })
  },
  race: function race (iterable) {
    return combine(iterable, function (index, promise, out) {
      promise.then(out.resolve, out.reject)
    }, function () {})
  }
})
publishConstructor('Promise', PromiseConstructor)
hidden(GLOBAL, {
  queueMicrotask: function queueMicrotask (callback) {
    needsFunction(callback)
    charge(PROMISE_FUEL)
    jobs.push(function () { callback() }, undefined)
  }
})
