// Errors: `cause`, AggregateError, and no traces. A trace names the engine's source lines.

var NativeError = Error
var ErrorPrototype = Error.prototype

function wrapError (name) {
  var Native = GLOBAL[name]
  // Works as a constructor, as a function, and as `super(...)` of a compiled subclass, whose
  // helper then sets the prototype.
  function Wrapped (message, options) {
    var error = message === undefined ? new Native() : new Native(message)
    if (options !== undefined && options !== null && typeof options === 'object' &&
        'cause' in options) {
      hidden(error, { cause: options.cause })
    }
    return error
  }
  defineProperty(Wrapped, 'name', { value: name, configurable: true })
  defineProperty(Wrapped, 'prototype', { value: Native.prototype, writable: false })
  defineProperty(Wrapped, 'length', { value: 1, configurable: true })
  hidden(Native.prototype, { constructor: Wrapped })
  var own = {}
  own[name] = Wrapped
  hidden(GLOBAL, own)
  return Wrapped
}

var errorNames = ['Error', 'EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError',
  'URIError']
errorNames.forEach(wrapError)
errorNames.forEach(function (name) {
  if (name !== 'Error') setPrototypeOf(GLOBAL[name], Error)
})

// Only for people: where in the contract an error came from. No part of any result.
var nativeStack = Object.getOwnPropertyDescriptor(ErrorPrototype, 'stack').get

// Line of the contract (its code is all that the engine calls "input"), 0 when there is none.
function lineOf (error) {
  if (!isPlainError(error)) return 0
  var found = nativeExec.call(/\(input:(\d+)\)/, nativeStack.call(error))
  return found === null ? 0 : Number(found[1])
}

// Whether making the trace runs no code of the contract: the engine asks for the error's text.
function isPlainError (error) {
  if (!isObject(error) || !(error instanceof NativeError)) return false
  for (var at = error; errorPrototypes.indexOf(at) === -1; at = getPrototypeOf(at)) {
    if (hasOwn.call(at, 'toString') || hasOwn.call(at, Symbol.toPrimitive)) return false
    for (var i = 0; i < 2; i++) {
      var property = Object.getOwnPropertyDescriptor(at, i === 0 ? 'name' : 'message')
      if (property !== undefined && typeof property.value !== 'string') return false
    }
  }
  return true
}

delete ErrorPrototype.fileName
delete ErrorPrototype.lineNumber
delete ErrorPrototype.stack
defineProperty(ErrorPrototype, 'stack', {
  get: function () { return errorText(this) },
  set: function (value) {
    defineProperty(this, 'stack', {
      value: value, writable: true, enumerable: false, configurable: true
    })
  },
  enumerable: false,
  configurable: true
})

function AggregateErrorConstructor (errors, message, options) {
  var error = new Error(message, options)
  setPrototypeOf(error, AggregateErrorConstructor.prototype)
  hidden(error, { errors: Array.from(errors) })
  return error
}
AggregateErrorConstructor.prototype = Object.create(ErrorPrototype)
hidden(AggregateErrorConstructor.prototype, {
  constructor: AggregateErrorConstructor, name: 'AggregateError', message: ''
})
defineProperty(AggregateErrorConstructor, 'name', { value: 'AggregateError' })
setPrototypeOf(AggregateErrorConstructor, Error)
hidden(GLOBAL, { AggregateError: AggregateErrorConstructor })

// Those that no contract can change.
var errorPrototypes = errorNames.map(function (name) { return GLOBAL[name].prototype })
errorPrototypes.push(AggregateErrorConstructor.prototype)

var MAX_ERROR_CHARS = 1000

// "Name: message" of whatever was thrown, bounded, without half characters.
function errorText (error) {
  var text
  try {
    if (error !== null && typeof error === 'object' && error instanceof NativeError) {
      var name = String(error.name)
      var message = String(error.message)
      text = name === '' ? message : message === '' ? name : name + ': ' + message
    } else if (typeof error === 'object' || typeof error === 'function') {
      text = 'thrown: ' + String(error)
    } else {
      text = 'thrown: ' + (typeof error === 'string' ? error : String(error))
    }
  } catch (inner) {
    caught(inner)
    text = 'thrown: a value without a text'
  }
  if (text.length > MAX_ERROR_CHARS) text = text.slice(0, MAX_ERROR_CHARS)
  return wellFormed(text)
}
