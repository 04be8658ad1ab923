// Iteration protocol, Map, Set, WeakMap and WeakSet.

var ITERATOR = Symbol.iterator
var ASYNC_ITERATOR = Symbol('Symbol.asyncIterator')
hidden(Symbol, { asyncIterator: ASYNC_ITERATOR })
getter(Symbol.prototype, 'description', function () {
  var text = Symbol.prototype.toString.call(this)
  return text.slice(7, -1)
})

var IteratorPrototype = {}
IteratorPrototype[ITERATOR] = function () { return this }
hidden(IteratorPrototype, { constructor: Object })

function makeIterator (next, tag) {
  var iterator = Object.create(IteratorPrototypes[tag])
  defineProperty(iterator, ITERATOR_STEP, { value: next })
  return iterator
}

// The steps live under a symbol that contracts cannot name; own symbols of iterators are not worth
// hiding from getOwnPropertySymbols, calling the step is what next() does.
var ITERATOR_STEP = Symbol('step')
var IteratorPrototypes = {}
;['Array Iterator', 'String Iterator', 'Map Iterator', 'Set Iterator', 'RegExp String Iterator'
].forEach(function (tag) {
  var prototype = Object.create(IteratorPrototype)
  hidden(prototype, { next: function () { return this[ITERATOR_STEP]() } })
  defineProperty(prototype, Symbol.toStringTag, { value: tag, configurable: true })
  IteratorPrototypes[tag] = prototype
})

function defineIterator (prototype, make) {
  defineProperty(prototype, ITERATOR, {
    value: make, writable: true, enumerable: false, configurable: true
  })
}

function arrayIterator (array, pick) {
  var at = 0
  return makeIterator(function () {
    if (array === undefined) return { value: undefined, done: true }
    if (at >= array.length) {
      array = undefined
      return { value: undefined, done: true }
    }
    return { value: pick(array, at++), done: false }
  }, 'Array Iterator')
}

function pickValue (array, at) { return array[at] }
function pickKey (array, at) { return at }
function pickEntry (array, at) { return [at, array[at]] }

var arrayIteration = {
  values: function values () { return arrayIterator(asObject(this), pickValue) },
  keys: function keys () { return arrayIterator(asObject(this), pickKey) },
  entries: function entries () { return arrayIterator(asObject(this), pickEntry) }
}
hidden(ArrayPrototype, arrayIteration)
defineIterator(ArrayPrototype, arrayIteration.values)

function asObject (value) {
  if (value === undefined || value === null) {
    throw new TypeError('Cannot convert undefined or null to object')
  }
  return Object(value)
}

defineIterator(String.prototype, function () {
  var text = String(this)
  var at = 0
  return makeIterator(function () {
    if (at >= text.length) return { value: undefined, done: true }
    var size = isPair(text, at) ? 2 : 1
    var character = text.slice(at, at + size)
    at += size
    return { value: character, done: false }
  }, 'String Iterator')
})

function getIterator (iterable) {
  var make = iterable === undefined || iterable === null ? undefined : iterable[ITERATOR]
  if (typeof make !== 'function') throw new TypeError(describe(iterable) + ' is not iterable')
  var iterator = make.call(iterable)
  if (!isObject(iterator)) {
    throw new TypeError('Result of the Symbol.iterator method is not an object')
  }
  return iterator
}

function isObject (value) {
  return value !== null && (typeof value === 'object' || typeof value === 'function')
}

function describe (value) {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'symbol') return value.toString()
  if (typeof value === 'function') return 'function'
  if (isObject(value)) return 'object'
  return String(value)
}

// Calls visit(value) for each item; a throw in visit closes the iterator.
function iterate (iterable, visit) {
  if (isArray(iterable) && iterable[ITERATOR] === arrayIteration.values) {
    for (var i = 0; i < iterable.length; i++) {
      tick()
      visit(iterable[i])
    }
    return
  }
  var iterator = getIterator(iterable)
  var next = iterator.next
  for (;;) {
    tick()
    var step = next.call(iterator)
    if (!isObject(step)) throw new TypeError('Iterator result ' + describe(step) + ' is not an object')
    if (step.done) return
    try {
      visit(step.value)
    } catch (error) {
      caught(error)
      closeQuietly(iterator)
      throw error
    }
  }
}

function closeQuietly (iterator) {
  try {
    var close = iterator.return
    if (close !== undefined && close !== null) close.call(iterator)
  } catch (error) {
    // The first error counts.
    caught(error)
  }
}

// Map and Set keep their entries in insertion order as a list with gaps. Primitive keys are found
// in a table by their text; objects by a number written on them, or, when they are frozen, by
// looking through the list of those.
var OBJECT_ID = Symbol('id')
var nextObjectId = 1
var frozenObjects = []

function resetObjectIds () {
  nextObjectId = 1
  frozenObjects = []
}

function slotOf (key) {
  switch (typeof key) {
    case 'string': return 's' + key
    case 'number': return key === 0 ? 'n0' : 'n' + key
    case 'boolean': return key ? 'true' : 'false'
    case 'undefined': return 'undefined'
    case 'symbol': return key
  }
  if (key === null) return 'null'
  return 'o' + objectId(key)
}

function objectId (object) {
  if (hasOwn.call(object, OBJECT_ID)) return object[OBJECT_ID]
  if (Object.isExtensible(object)) {
    defineProperty(object, OBJECT_ID, { value: nextObjectId })
    return nextObjectId++
  }
  charge(frozenObjects.length)
  for (var i = 0; i < frozenObjects.length; i++) {
    if (frozenObjects[i] === object) return 'f' + i
  }
  frozenObjects.push(object)
  return 'f' + (frozenObjects.length - 1)
}

var STORE = Symbol('entries')

function Store () {
  this.table = Object.create(null)
  this.keys = []
  this.values = []
  this.size = 0
}
Store.prototype = {
  find: function (key) {
    var at = this.table[slotOf(key)]
    return at === undefined ? -1 : at
  },
  set: function (key, value) {
    var slot = slotOf(key)
    var at = this.table[slot]
    if (at === undefined) {
      charge(ENTRY_FUEL)
      this.table[slot] = this.keys.length
      this.keys.push(key === 0 ? 0 : key)
      this.values.push(value)
      this.size++
    } else {
      this.values[at] = value
    }
  },
  remove: function (key) {
    var slot = slotOf(key)
    var at = this.table[slot]
    if (at === undefined) return false
    delete this.table[slot]
    this.keys[at] = GONE
    this.values[at] = undefined
    this.size--
    return true
  },
  clear: function () {
    this.table = Object.create(null)
    // Iterators that are under way look at the same lists.
    for (var i = 0; i < this.keys.length; i++) this.keys[i] = GONE
    this.values = []
    this.size = 0
  }
}
var GONE = { gone: true }

function storeOf (collection, kind) {
  if (isObject(collection) && hasOwn.call(collection, STORE) && collection[STORE].kind === kind) {
    return collection[STORE]
  }
  throw new TypeError('Method ' + kind + ' called on incompatible receiver ' + describe(collection))
}

function initStore (collection, kind) {
  var store = new Store()
  store.kind = kind
  defineProperty(collection, STORE, { value: store })
  return store
}

function storeIterator (store, pick, tag) {
  var at = 0
  return makeIterator(function () {
    while (store !== undefined && at < store.keys.length) {
      var index = at++
      if (store.keys[index] !== GONE) return { value: pick(store, index), done: false }
      tick()
    }
    store = undefined
    return { value: undefined, done: true }
  }, tag)
}

function storeKey (store, at) { return store.keys[at] }
function storeValue (store, at) { return store.values[at] }
function storePair (store, at) { return [store.keys[at], store.values[at]] }
function storeTwice (store, at) { return [store.keys[at], store.keys[at]] }

function eachInStore (store, visit) {
  for (var at = 0; at < store.keys.length; at++) {
    tick()
    if (store.keys[at] !== GONE) visit(store.keys[at], store.values[at])
  }
}

function needsNew (self, Constructor, name) {
  if (!(self instanceof Constructor) || hasOwn.call(self, STORE)) {
    throw new TypeError("Constructor " + name + " requires 'new'")
  }
}

function MapConstructor (iterable) {
  needsNew(this, MapConstructor, 'Map')
  initStore(this, 'Map')
  if (iterable !== undefined && iterable !== null) {
    var map = this
    var adder = map.set
    iterate(iterable, function (pair) {
      if (!isObject(pair)) throw new TypeError('Iterator value ' + describe(pair) + ' is not an entry object')
      adder.call(map, pair[0], pair[1])
    })
  }
}
var mapEntries = function entries () {
  return storeIterator(storeOf(this, 'Map'), storePair, 'Map Iterator')
}
hidden(MapConstructor.prototype, {
  get: function get (key) {
    var store = storeOf(this, 'Map')
    var at = store.find(key)
    return at === -1 ? undefined : store.values[at]
  },
  set: function set (key, value) { storeOf(this, 'Map').set(key, value); return this },
  has: function has (key) { return storeOf(this, 'Map').find(key) !== -1 },
  'delete': function (key) { return storeOf(this, 'Map').remove(key) },
  clear: function clear () { storeOf(this, 'Map').clear() },
  forEach: function forEach (visit, self) {
    var map = this
    needsFunction(visit)
    eachInStore(storeOf(this, 'Map'), function (key, value) { visit.call(self, value, key, map) })
  },
  keys: function keys () { return storeIterator(storeOf(this, 'Map'), storeKey, 'Map Iterator') },
  values: function values () {
    return storeIterator(storeOf(this, 'Map'), storeValue, 'Map Iterator')
  },
  entries: mapEntries
})
getter(MapConstructor.prototype, 'size', function () { return storeOf(this, 'Map').size })
defineIterator(MapConstructor.prototype, mapEntries)

function SetConstructor (iterable) {
  needsNew(this, SetConstructor, 'Set')
  initStore(this, 'Set')
  if (iterable !== undefined && iterable !== null) {
    var set = this
    var adder = set.add
    iterate(iterable, function (value) { adder.call(set, value) })
  }
}
var setValues = function values () {
  return storeIterator(storeOf(this, 'Set'), storeKey, 'Set Iterator')
}
hidden(SetConstructor.prototype, {
  add: function add (value) { storeOf(this, 'Set').set(value, undefined); return this },
  has: function has (value) { return storeOf(this, 'Set').find(value) !== -1 },
  'delete': function (value) { return storeOf(this, 'Set').remove(value) },
  clear: function clear () { storeOf(this, 'Set').clear() },
  forEach: function forEach (visit, self) {
    var set = this
    needsFunction(visit)
    eachInStore(storeOf(this, 'Set'), function (value) { visit.call(self, value, value, set) })
  },
  values: setValues,
  keys: setValues,
  entries: function entries () {
    return storeIterator(storeOf(this, 'Set'), storeTwice, 'Set Iterator')
  }
})
getter(SetConstructor.prototype, 'size', function () { return storeOf(this, 'Set').size })
defineIterator(SetConstructor.prototype, setValues)

function needsFunction (value) {
  if (typeof value !== 'function') throw new TypeError(describe(value) + ' is not a function')
}

// Nothing observes garbage collection, so these may hold on to their keys; an operation is short.
function weakKind (kind) {
  function Weak (iterable) {
    needsNew(this, Weak, kind)
    initStore(this, kind)
    if (iterable !== undefined && iterable !== null) {
      var self = this
      iterate(iterable, function (item) {
        if (kind === 'WeakMap') self.set(item[0], item[1])
        else self.add(item)
      })
    }
  }
  function needsObject (key) {
    if (!isObject(key)) throw new TypeError('Invalid value used ' + (kind === 'WeakMap' ? 'as weak map key' : 'in weak set'))
  }
  hidden(Weak.prototype, {
    has: function has (key) { return storeOf(this, kind).find(key) !== -1 },
    'delete': function (key) { return storeOf(this, kind).remove(key) }
  })
  if (kind === 'WeakMap') {
    hidden(Weak.prototype, {
      get: function get (key) {
        var store = storeOf(this, kind)
        var at = store.find(key)
        return at === -1 ? undefined : store.values[at]
      },
      set: function set (key, value) { needsObject(key); storeOf(this, kind).set(key, value); return this }
    })
  } else {
    hidden(Weak.prototype, {
      add: function add (value) { needsObject(value); storeOf(this, kind).set(value, undefined); return this }
    })
  }
  return Weak
}

function publishConstructor (name, Constructor) {
  defineProperty(Constructor, 'name', { value: name, configurable: true })
  hidden(Constructor.prototype, { constructor: Constructor })
  defineProperty(Constructor.prototype, Symbol.toStringTag, { value: name, configurable: true })
  var own = {}
  own[name] = Constructor
  hidden(GLOBAL, own)
}
publishConstructor('Map', MapConstructor)
publishConstructor('Set', SetConstructor)
publishConstructor('WeakMap', weakKind('WeakMap'))
publishConstructor('WeakSet', weakKind('WeakSet'))
