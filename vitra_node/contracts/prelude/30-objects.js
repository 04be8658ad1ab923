// Object, Function, Number and globals up to ES2022.

var INTERNAL_SYMBOLS = [STORE, OBJECT_ID, ITERATOR_STEP]

var nativeSymbols = Object.getOwnPropertySymbols
var nativeNames = Object.getOwnPropertyNames
var nativeKeys = Object.keys
var nativeAssign = Object.assign

function ownSymbols (target) {
  return nativeSymbols(target).filter(function (symbol) {
    return INTERNAL_SYMBOLS.indexOf(symbol) === -1
  })
}

// Sets an own property as an object literal does, whatever its prototype has under that name.
function setOwn (target, key, value) {
  if (key === '__proto__' || key in target) {
    defineProperty(target, key, {
      value: value, writable: true, enumerable: true, configurable: true
    })
  } else {
    target[key] = value
  }
}

// Own enumerable keys and symbols, in the order of the standard.
function enumerableKeys (source) {
  var keys = nativeKeys(source)
  charge(keys.length)
  var symbols = ownSymbols(source)
  for (var i = 0; i < symbols.length; i++) {
    var descriptor = Object.getOwnPropertyDescriptor(source, symbols[i])
    if (descriptor !== undefined && descriptor.enumerable) keys.push(symbols[i])
  }
  return keys
}

hidden(Object, {
  getOwnPropertySymbols: function getOwnPropertySymbols (target) {
    return ownSymbols(asObject(target))
  },
  getOwnPropertyNames: function getOwnPropertyNames (target) {
    var names = nativeNames(asObject(target))
    charge(names.length)
    // The engine keeps the name of the source file on every function.
    if (typeof target === 'function') {
      names = names.filter(function (name) { return name !== 'fileName' })
    }
    return names
  },
  keys: function keys (target) {
    var names = nativeKeys(asObject(target))
    charge(names.length)
    return names
  },
  values: function values (target) {
    return Object.keys(target).map(function (key) { return target[key] })
  },
  entries: function entries (target) {
    return Object.keys(target).map(function (key) { return [key, target[key]] })
  },
  assign: function assign (target) {
    var to = asObject(target)
    for (var i = 1; i < arguments.length; i++) {
      var source = arguments[i]
      if (source === undefined || source === null) continue
      source = Object(source)
      var keys = enumerableKeys(source)
      for (var k = 0; k < keys.length; k++) to[keys[k]] = source[keys[k]]
    }
    return to
  },
  fromEntries: function fromEntries (iterable) {
    var out = {}
    iterate(iterable, function (pair) {
      if (!isObject(pair)) throw new TypeError('Iterator value ' + describe(pair) + ' is not an entry object')
      setOwn(out, toPropertyKey(pair[0]), pair[1])
    })
    return out
  },
  getOwnPropertyDescriptors: function getOwnPropertyDescriptors (target) {
    var out = {}
    Object.getOwnPropertyNames(target).forEach(function (name) {
      setOwn(out, name, Object.getOwnPropertyDescriptor(target, name))
    })
    ownSymbols(target).forEach(function (symbol) {
      out[symbol] = Object.getOwnPropertyDescriptor(target, symbol)
    })
    return out
  },
  hasOwn: function (target, key) { return hasOwn.call(asObject(target), key) }
})

function toPropertyKey (value) {
  return typeof value === 'symbol' ? value : String(value)
}

// Functions cannot be made from text, whichever way one gets at their constructor.
function FunctionConstructor () {
  throw new EvalError('functions cannot be made from text in a contract')
}
defineProperty(FunctionConstructor, 'name', { value: 'Function' })
defineProperty(FunctionConstructor, 'prototype', { value: Function.prototype, writable: false })
hidden(Function.prototype, {
  constructor: FunctionConstructor,
  toString: function toString () {
    needsFunction(this)
    return 'function ' + this.name + '() { [native code] }'
  }
})
delete Function.prototype.caller
delete Function.prototype.arguments
hidden(GLOBAL, { Function: FunctionConstructor })

hidden(Number, {
  isInteger: function isInteger (value) {
    return typeof value === 'number' && isFinite(value) && Math.floor(value) === value
  },
  parseInt: parseInt,
  parseFloat: parseFloat
})

function localeDependent (name) {
  return function () { throw new TypeError(name + ' depends on the locale of the machine') }
}
hidden(Number.prototype, { toLocaleString: localeDependent('toLocaleString') })
hidden(ObjectPrototype, { toLocaleString: localeDependent('toLocaleString') })
hidden(ArrayPrototype, { toLocaleString: localeDependent('toLocaleString') })

var nativeBind = Function.prototype.bind
var nativeCreate = Object.create

hidden(Function.prototype, {
  bind: function bind (self) {
    charge(CHAINED_OBJECT_FUEL)
    return nativeBind.apply(this, arguments)
  }
})
hidden(Object, {
  create: function create (prototype, properties) {
    charge(CHAINED_OBJECT_FUEL)
    return properties === undefined ? nativeCreate(prototype) : nativeCreate(prototype, properties)
  }
})

var nativeStringify = JSON.stringify
var nativeParse = JSON.parse
hidden(JSON, {
  // Well-formed since ES2019: a half character comes out as its escape.
  stringify: function stringify (value, replacer, space) {
    var text = nativeStringify(value, replacer, space)
    if (typeof text !== 'string') return text
    chargeText(text)
    // The engine escapes these two, the standard does not.
    if (nativeIndexOf.call(text, '\\u202') !== -1) {
      text = nativeReplace.call(text, UNIT_ESCAPE, function (found, escape) {
        return escape === 'u2028' ? '\u2028' : escape === 'u2029' ? '\u2029' : found
      })
    }
    return replaceLone(text, function (half) {
      return '\\u' + (nativeCharCodeAt.call(half, 0) - HALF_SHIFT).toString(16)
    })
  },
  parse: function parse (text, reviver) {
    text = String(text)
    chargeText(text)
    text = boundExponentsInJson(text)
    return nativeParse(nativeIndexOf.call(text, '\\u') === -1 ? text : unescapeHalves(text), reviver)
  }
})
defineProperty(JSON, Symbol.toStringTag, { value: 'JSON', configurable: true })

// Lines for the operator's log. They are no part of any result; what they cost is the same at
// executor and monitor, and making their texts runs no code of the contract.
var CONSOLE_FUEL = 20
var MAX_CONSOLE_LINES = 20
var MAX_CONSOLE_CHARS = 500

var printed = []

function textOfPrinted (value, depth) {
  if (typeof value === 'string') return depth === 0 ? value : nativeStringify(value)
  if (typeof value === 'function') return 'function'
  if (!isObject(value)) return String(value)
  if (depth > 2) return '…'
  if (value instanceof NativeError) return ownText(value, 'name', 'Error') + ': ' + ownText(value, 'message', '')
  var isList = isArray(value)
  var parts = []
  nativeKeys(value).slice(0, 20).forEach(function (key) {
    var property = Object.getOwnPropertyDescriptor(value, key)
    var text = hasOwn.call(property, 'value') ? textOfPrinted(property.value, depth + 1) : 'accessor'
    parts.push(isList ? text : key + ': ' + text)
  })
  var body = nativeJoin.call(parts, ', ')
  return isList ? '[' + body + ']' : '{' + body + '}'
}

function ownText (error, name, otherwise) {
  for (; isObject(error); error = getPrototypeOf(error)) {
    var property = Object.getOwnPropertyDescriptor(error, name)
    if (property !== undefined && typeof property.value === 'string') return property.value
  }
  return otherwise
}

var nativeJoin = ArrayPrototype.join

function print (level) {
  return function () {
    charge(CONSOLE_FUEL)
    if (printed.length === MAX_CONSOLE_LINES) return
    var text = ''
    for (var i = 0; i < arguments.length && text.length <= MAX_CONSOLE_CHARS; i++) {
      text += (i === 0 ? '' : ' ') + textOfPrinted(arguments[i], 0)
    }
    if (text.length > MAX_CONSOLE_CHARS) text = text.slice(0, MAX_CONSOLE_CHARS) + '…'
    printed.push([level, wellFormed(text)])
  }
}

var consoleLevels = { log: 'info', info: 'info', warn: 'warning', error: 'error', debug: 'debug', trace: 'debug' }
var consoleObject = {}
nativeKeys(consoleLevels).forEach(function (name) { consoleObject[name] = print(consoleLevels[name]) })
hidden(GLOBAL, { console: consoleObject })
