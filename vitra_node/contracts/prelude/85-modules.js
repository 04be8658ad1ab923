// The modules a contract imports: contract, assert, util.

// 'apply', 'process' or 'call': what the running code may do.
var mode = 'apply'
var emitted = []

function promised (work) {
  return function (a, b) {
    try {
      return fulfilledWith(work(a, b))
    } catch (error) {
      return rejectedWith(caught(error))
    }
  }
}

function onlyInCalls (what) {
  if (mode !== 'call') throw new Error(what + ' is for method calls; during apply and process only the index can be read')
}

var contractModule = {
  index: { get: promised(readEntry), list: promised(listEntries) },
  // In a call all oplogs this node knows, with their lengths; otherwise what the index says.
  listOplogs: promised(function () {
    if (mode === 'call') {
      return askHost('oplogs').map(function (oplog) {
        return { pubkey: oplog.p, length: oplog.l, active: oplog.a }
      })
    }
    return listEntries('/.sys/inputs').map(function (entry) {
      return { pubkey: entry.name, active: entry.value.active }
    })
  }),
  isWriter: promised(function () {
    onlyInCalls('isWriter')
    return askHost('writer')
  }),
  oplog: {
    getInfo: promised(function () {
      onlyInCalls('oplog.getInfo')
      var oplog = askHost('oplog')
      return oplog === null ? undefined : { pubkey: oplog.p, length: oplog.l, active: oplog.a }
    })
  }
}

function AssertionErrorConstructor (message) {
  var error = new Error(message)
  setPrototypeOf(error, AssertionErrorConstructor.prototype)
  return error
}
AssertionErrorConstructor.prototype = Object.create(ErrorPrototype)
hidden(AssertionErrorConstructor.prototype, {
  constructor: AssertionErrorConstructor, name: 'AssertionError', message: '', code: 'ERR_ASSERTION'
})
errorPrototypes.push(AssertionErrorConstructor.prototype)
defineProperty(AssertionErrorConstructor, 'name', { value: 'AssertionError' })

function check (holds, message, otherwise) {
  if (holds) return
  if (message instanceof NativeError) throw message
  throw new AssertionErrorConstructor(message === undefined ? otherwise : String(message))
}

function isSame (a, b, strict) {
  return strict ? Object.is(a, b) : a == b || (a !== a && b !== b)
}

// Structural equality; `strict` also compares prototypes and does not convert primitives.
function isDeepEqual (a, b, strict, depth) {
  tick()
  if (!isObject(a) || !isObject(b)) return isSame(a, b, strict)
  if (a === b) return true
  if (depth > MAX_VALUE_DEPTH) throw new RangeError('deepEqual: nested too deeply')
  if (nativeToString.call(a) !== nativeToString.call(b) || isArray(a) !== isArray(b)) return false
  if (strict && getPrototypeOf(a) !== getPrototypeOf(b)) return false
  if (typeof a === 'function' || isRegExp(a)) return isRegExp(a) && String(a) === String(b)
  if (a instanceof NativeDate) return a.getTime() === b.getTime()
  if (a instanceof NativeError && (a.name !== b.name || a.message !== b.message)) return false
  if (hasOwn.call(a, STORE) || hasOwn.call(b, STORE)) return isSameStore(a, b, strict, depth)
  var keys = enumerableKeys(a)
  if (keys.length !== enumerableKeys(b).length || (isArray(a) && a.length !== b.length)) return false
  return keys.every(function (key) {
    return hasOwn.call(b, key) && isDeepEqual(a[key], b[key], strict, depth + 1)
  })
}

function isSameStore (a, b, strict, depth) {
  var left = a[STORE]
  var right = b[STORE]
  if (left.size !== right.size) return false
  var same = true
  eachInStore(left, function (key, value) {
    if (!same) return
    var at = right.find(key)
    if (at !== -1) {
      same = isDeepEqual(value, right.values[at], strict, depth + 1)
      return
    }
    var found = false
    if (isObject(key) || !strict) {
      eachInStore(right, function (other, otherValue) {
        found = found || (isDeepEqual(key, other, strict, depth + 1) &&
          isDeepEqual(value, otherValue, strict, depth + 1))
      })
    }
    same = found
  })
  return same
}

function deepCheck (strict, wanted, otherwise) {
  return function (actual, expected, message) {
    check(isDeepEqual(actual, expected, strict, 0) === wanted, message, otherwise)
  }
}

function assertOk (value, message) {
  check(value, message, 'the value is not truthy')
}

function matches (error, expected) {
  if (expected === undefined) return true
  if (isRegExp(expected)) return expected.test(String(error))
  if (typeof expected === 'function') {
    if (expected.prototype !== undefined && error instanceof expected) return true
    return !(expected === Error || expected.prototype instanceof NativeError) && expected(error) === true
  }
  return Object.keys(expected).every(function (key) {
    return isRegExp(expected[key]) ? expected[key].test(String(error[key]))
      : isDeepEqual(error[key], expected[key], true, 0)
  })
}

var assertModule = assertOk
hidden(assertModule, { ok: assertOk, 'default': assertOk })
nativeAssign(assertModule, {
  equal: function equal (a, b, message) {
    check(isSame(a, b, false), message, describe(a) + ' == ' + describe(b))
  },
  notEqual: function notEqual (a, b, message) {
    check(!isSame(a, b, false), message, describe(a) + ' != ' + describe(b))
  },
  strictEqual: function strictEqual (a, b, message) {
    check(isSame(a, b, true), message, describe(a) + ' === ' + describe(b))
  },
  notStrictEqual: function notStrictEqual (a, b, message) {
    check(!isSame(a, b, true), message, describe(a) + ' !== ' + describe(b))
  },
  deepEqual: deepCheck(false, true, 'the values are not deeply equal'),
  notDeepEqual: deepCheck(false, false, 'the values are deeply equal'),
  deepStrictEqual: deepCheck(true, true, 'the values are not deeply equal'),
  notDeepStrictEqual: deepCheck(true, false, 'the values are deeply equal'),
  match: function match (text, pattern, message) {
    check(typeof text === 'string' && pattern.test(text), message, 'the text does not match ' + pattern)
  },
  doesNotMatch: function doesNotMatch (text, pattern, message) {
    check(typeof text !== 'string' || !pattern.test(text), message, 'the text matches ' + pattern)
  },
  fail: function fail (message) {
    check(false, message, 'Failed')
  },
  'throws': function (work, expected, message) {
    var thrown
    try {
      work()
    } catch (error) {
      thrown = { error: caught(error) }
    }
    check(thrown !== undefined, typeof expected === 'string' ? expected : message, 'nothing was thrown')
    if (typeof expected !== 'string' && !matches(thrown.error, expected)) throw thrown.error
  },
  AssertionError: AssertionErrorConstructor
})

// Random numbers (xorshift128) from the host's seed: for calls and process, whose results are
// recorded, never for apply.
var seed = [1, 2, 3, 4]

function randomUint32 (what) {
  if (mode === 'apply') throw new Error(what + ' would differ from node to node in apply; use process or a parameter')
  var t = seed[3]
  t ^= t << 11
  t ^= t >>> 8
  seed = [seed[0], seed[0], seed[1], seed[2]]
  var s = seed[1]
  t ^= s ^ (s >>> 19)
  seed[0] = t
  return t >>> 0
}

hidden(Math, {
  random: function random () {
    var high = randomUint32('Math.random') >>> 5
    return (high * 67108864 + (randomUint32('Math.random') >>> 6)) / 9007199254740992
  }
})

function hex8 (number) {
  return ('0000000' + number.toString(16)).slice(-8)
}

var utilModule = {
  genUUID: function genUUID () {
    var hex = ''
    for (var i = 0; i < 4; i++) hex += hex8(randomUint32('genUUID'))
    var variant = '89ab'.charAt(parseInt(hex.charAt(16), 16) & 3)
    return hex.slice(0, 8) + '-' + hex.slice(8, 12) + '-4' + hex.slice(13, 16) + '-' + variant +
      hex.slice(17, 20) + '-' + hex.slice(20)
  }
}

function finishModule (module) {
  if (!hasOwn.call(module, 'default')) hidden(module, { 'default': module })
  defineProperty(module, '__esModule', { value: true })
  return module
}

var modules = {
  contract: finishModule(contractModule),
  assert: finishModule(assertModule),
  util: finishModule(utilModule)
}

function requireModule (name) {
  var module = modules[name]
  if (module === undefined) throw new Error('no module ' + describe(name))
  return module
}
