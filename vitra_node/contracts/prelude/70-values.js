// What crosses to the host. A value is sent as JSON; what JSON lacks is an object with the single
// key "$" holding a kind and its data: ["b", base64] bytes, ["d", ms] a date, ["f", low, high] the
// words of a number that is no whole one (the engine's decimal texts are not always exact),
// ["u"] undefined. A key made of "$" only gets one more "$" on the way out and
// loses it on the way in, so no data of a contract can look like these.

var MAX_VALUE_DEPTH = 100
var MAX_VALUE_ITEMS = 262144
var MAX_VALUE_CHARS = 2097152

var ONLY_DOLLARS = /^\$+$/
var itemsLeft = 0
var charsLeft = 0

// Copies a contract's value into its sent form; `what` begins the text of a refusal.
function toWire (value, what) {
  itemsLeft = MAX_VALUE_ITEMS
  charsLeft = MAX_VALUE_CHARS
  if (value === undefined) refuse(what, 'undefined is not a value')
  return convert(value, what, MAX_VALUE_DEPTH)
}

function refuse (what, reason) {
  throw new TypeError(what + ': ' + reason)
}

function countChars (count, what) {
  charge(1 + count / CHARACTERS_PER_FUEL)
  charsLeft -= count
  if (charsLeft < 0) refuse(what, 'a value has at most ' + MAX_VALUE_CHARS + ' characters')
}

function convert (value, what, depth) {
  switch (typeof value) {
    case 'boolean': return value
    case 'number':
      if (!isFinite(value)) refuse(what, 'NaN and infinity are not values')
      if (Math.floor(value) === value && abs(value) <= 9007199254740992) return value === 0 ? 0 : value
      return { $: ['f', lowWord(value), highWord(value)] }
    case 'string':
      countChars(value.length, what)
      if (!isWellFormed(value)) {
        refuse(what, 'a text with half a character (a lone surrogate) is not a value')
      }
      return value
    case 'function': return refuse(what, 'a function is not a value')
    case 'symbol': return refuse(what, 'a symbol is not a value')
  }
  if (value === null) return null
  if (depth === 0) refuse(what, 'a value is at most ' + MAX_VALUE_DEPTH + ' levels deep')
  if (isArray(value)) return convertItems(value, what, depth)
  var prototype = getPrototypeOf(value)
  if (prototype === ObjectPrototype || prototype === null) {
    return convertKeys(value, nativeKeys(value), what, depth)
  }
  return convertSpecial(value, what, depth)
}

function convertItems (list, what, depth) {
  var out = []
  countItems(list.length, what)
  for (var i = 0; i < list.length; i++) {
    out.push(list[i] === undefined ? null : convert(list[i], what, depth - 1))
  }
  return out
}

function countItems (count, what) {
  charge(count)
  itemsLeft -= count
  if (itemsLeft < 0) refuse(what, 'a value has at most ' + MAX_VALUE_ITEMS + ' items')
  countChars(count, what)
}

function convertKeys (object, keys, what, depth) {
  countItems(2 * keys.length, what)
  var out = {}
  for (var i = 0; i < keys.length; i++) {
    var item = object[keys[i]]
    if (item !== undefined) {
      convert(keys[i], what, depth)
      setOwn(out, escapeKey(keys[i]), convert(item, what, depth - 1))
    }
  }
  return out
}

function escapeKey (key) {
  return key.charAt(0) === '$' && nativeTest.call(ONLY_DOLLARS, key) ? key + '$' : key
}

function convertSpecial (value, what, depth) {
  if (value instanceof NativeUint8Array) return convertBytes(value, what)
  if (value instanceof NativeArrayBuffer) return convertBytes(new NativeUint8Array(value), what)
  if (value instanceof NativeDate) {
    if (isNaN(value.getTime())) refuse(what, 'an invalid date is not a value')
    return { $: ['d', value.getTime()] }
  }
  if (hasOwn.call(value, STORE)) return convertStore(value[STORE], what, depth)
  if (isPromise(value)) refuse(what, 'a promise is not a value, await it')
  var kind = nativeToString.call(value)
  if (kind !== '[object Object]' && !hasOwn.call(value, Symbol.toStringTag)) {
    refuse(what, kind.slice(8, -1) + ' is not a value')
  }
  return convertKeys(value, nativeKeys(value), what, depth)
}

function convertBytes (bytes, what) {
  countChars(bytes.length * 1.5, what)
  return { $: ['b', encodeBytes('base64', bytes)] }
}

function convertStore (store, what, depth) {
  if (store.kind === 'Set') {
    var items = []
    eachInStore(store, function (item) { items.push(item) })
    return convertItems(items, what, depth)
  }
  if (store.kind !== 'Map') refuse(what, store.kind + ' is not a value')
  var object = {}
  eachInStore(store, function (key, item) {
    if (typeof key !== 'string') refuse(what, 'the keys of a stored Map are texts')
    setOwn(object, key, item)
  })
  return convertKeys(object, nativeKeys(object), what, depth)
}

// Gives the contract a fresh copy of a sent value.
function fromWire (wire) {
  if (!isObject(wire)) return wire
  charge(1)
  if (isArray(wire)) {
    var list = []
    charge(wire.length)
    for (var i = 0; i < wire.length; i++) list.push(fromWire(wire[i]))
    return list
  }
  if (hasOwn.call(wire, '$')) return fromTagged(wire.$)
  var out = {}
  var keys = nativeKeys(wire)
  charge(keys.length)
  for (i = 0; i < keys.length; i++) {
    setOwn(out, unescapeKey(keys[i]), fromWire(wire[keys[i]]))
  }
  return out
}

function unescapeKey (key) {
  return key.charAt(0) === '$' && nativeTest.call(ONLY_DOLLARS, key) ? key.slice(1) : key
}

function fromTagged (tagged) {
  switch (tagged[0]) {
    case 'b': return new NativeUint8Array(decodeBytes('base64', tagged[1]))
    case 'd': return new NativeDate(tagged[1])
    case 'f': return fromWords(tagged[2], tagged[1])
  }
  return undefined
}
