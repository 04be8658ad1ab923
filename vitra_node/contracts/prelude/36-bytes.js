// Typed arrays: bounded sizes, and the methods they share with arrays.

var MAX_BUFFER_BYTES = 16777216
var NativeArrayBuffer = ArrayBuffer
var NativeUint8Array = Uint8Array
var TypedArrayPrototype = getPrototypeOf(Uint8Array.prototype)
var typedArrayNames = ['Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array',
  'Int32Array', 'Uint32Array', 'Float32Array', 'Float64Array']

function boundBuffer (count, size) {
  var bytes = toInteger(count) * size
  if (!(bytes >= 0 && bytes <= MAX_BUFFER_BYTES)) {
    throw new RangeError('Array buffer allocation failed')
  }
  charge(1 + bytes / CHARACTERS_PER_FUEL)
}

function wrapBuffer (name, size) {
  var Native = GLOBAL[name]
  function Wrapped (a, b, c) {
    if (!(this instanceof Wrapped)) throw new TypeError("Constructor " + name + " requires 'new'")
    if (!isObject(a)) {
      boundBuffer(a === undefined ? 0 : a, size)
      return new Native(a === undefined ? 0 : toInteger(a))
    }
    if (size !== 0 && !(a instanceof NativeArrayBuffer) && !isTypedArray(a)) {
      a = Array.from(a)
    }
    if (!(a instanceof NativeArrayBuffer)) boundBuffer(toLength(a.length), size || 1)
    return c !== undefined ? new Native(a, b, c) : b !== undefined ? new Native(a, b) : new Native(a)
  }
  defineProperty(Wrapped, 'name', { value: name, configurable: true })
  defineProperty(Wrapped, 'prototype', { value: Native.prototype, writable: false })
  hidden(Native.prototype, { constructor: Wrapped })
  if (size !== 1 || name !== 'ArrayBuffer') {
    defineProperty(Wrapped, 'BYTES_PER_ELEMENT', { value: size })
    hidden(Wrapped, {
      from: function from (source, map, self) { return new Wrapped(Array.from(source, map, self)) },
      of: function of () { return new Wrapped(nativeSlice.call(arguments)) }
    })
  } else {
    hidden(Wrapped, { isView: NativeArrayBuffer.isView })
  }
  var own = {}
  own[name] = Wrapped
  hidden(GLOBAL, own)
}

function isTypedArray (value) {
  return isObject(value) && NativeArrayBuffer.isView(value) && value.BYTES_PER_ELEMENT !== undefined
}

typedArrayNames.forEach(function (name) {
  wrapBuffer(name, GLOBAL[name].BYTES_PER_ELEMENT)
})
wrapBuffer('ArrayBuffer', 1)

;['join', 'indexOf', 'lastIndexOf', 'forEach', 'every', 'some', 'reduce', 'reduceRight', 'includes',
  'find', 'findIndex', 'findLast', 'findLastIndex', 'fill', 'at', 'reverse', 'keys', 'values',
  'entries', 'copyWithin'
].forEach(function (name) {
  var own = {}
  own[name] = ArrayPrototype[name]
  hidden(TypedArrayPrototype, own)
})
defineIterator(TypedArrayPrototype, ArrayPrototype.values)
hidden(TypedArrayPrototype, {
  toString: ArrayPrototype.toString,
  slice: function slice (start, end) {
    return new this.constructor(nativeSlice.call(this, start, end))
  },
  map: function map (change, self) {
    return new this.constructor(nativeSlice.call(this).map(change, self))
  },
  filter: function filter (test, self) {
    return new this.constructor(nativeSlice.call(this).filter(test, self))
  },
  sort: function sort (compare) {
    var items = nativeSlice.call(this)
    items = mergeSort(items, compare === undefined
      ? function (a, b) { return a - b }
      : function (a, b) { return Number(compare(a, b)) })
    for (var i = 0; i < items.length; i++) this[i] = items[i]
    return this
  },
  toLocaleString: localeDependent('toLocaleString')
})

// UTF-8, as the standard of the web has it.
function TextEncoderConstructor () {}
hidden(TextEncoderConstructor.prototype, {
  encode: function encode (text) {
    text = text === undefined ? '' : wellFormed(String(text))
    chargeText(text)
    var bytes = []
    var encoded = encodeURIComponent(text)
    charge(encoded.length)
    for (var i = 0; i < encoded.length; i++) {
      if (encoded.charAt(i) === '%') {
        bytes.push(parseInt(encoded.slice(i + 1, i + 3), 16))
        i += 2
      } else {
        bytes.push(nativeCharCodeAt.call(encoded, i))
      }
    }
    return new Uint8Array(bytes)
  }
})
publishConstructor('TextEncoder', TextEncoderConstructor)
