// Array statics and methods up to ES2023, a stable sort, and the cost of long native loops.

function toLength (value) {
  var length = Math.trunc(Number(value))
  return length > 0 ? Math.min(length, 9007199254740991) : 0
}

function toInteger (value) {
  var number = Math.trunc(Number(value))
  return number === number ? number : 0
}

// An index that counts from the end when negative, within 0..length.
function relativeIndex (value, length, otherwise) {
  if (value === undefined) return otherwise
  var index = toInteger(value)
  return index < 0 ? Math.max(length + index, 0) : Math.min(index, length)
}

;['join', 'concat', 'reverse', 'shift', 'unshift', 'splice', 'slice', 'indexOf', 'lastIndexOf',
  'forEach', 'map', 'filter', 'every', 'some', 'reduce', 'reduceRight'
].forEach(function (name) {
  var native = ArrayPrototype[name]
  var method = function () {
    if (this !== undefined && this !== null) charge(toLength(this.length) / 8)
    return native.apply(this, arguments)
  }
  defineProperty(method, 'name', { value: name, configurable: true })
  defineProperty(method, 'length', { value: native.length, configurable: true })
  var own = {}
  own[name] = method
  hidden(ArrayPrototype, own)
})

// An array inside of itself joins as an empty text, as in every other engine.
var joining = []
var plainJoin = ArrayPrototype.join

hidden(ArrayPrototype, {
  join: function join (separator) {
    for (var i = 0; i < joining.length; i++) {
      if (joining[i] === this) return ''
    }
    charge(joining.length)
    joining.push(this)
    try {
      return plainJoin.call(this, separator)
    } finally {
      joining.pop()
    }
  },
  toString: function toString () {
    var join = asObject(this).join
    return typeof join === 'function' ? join.call(this) : nativeToString.call(this)
  }
})

function compareText (a, b) {
  return a === b ? 0 : a < b ? -1 : 1
}

function mergeSort (items, compare) {
  var from = items
  var to = new Array(items.length)
  for (var width = 1; width < from.length; width *= 2) {
    charge(from.length)
    for (var start = 0; start < from.length; start += 2 * width) {
      var left = start
      var middle = Math.min(start + width, from.length)
      var right = middle
      var end = Math.min(start + 2 * width, from.length)
      for (var at = start; at < end; at++) {
        if (left < middle && (right >= end || !(compare(from[left], from[right]) > 0))) {
          to[at] = from[left++]
        } else {
          to[at] = from[right++]
        }
      }
    }
    var swap = from
    from = to
    to = swap
  }
  return from
}

function sortedItems (items, compare) {
  if (compare !== undefined) {
    return mergeSort(items, function (a, b) { return Number(compare(a, b)) })
  }
  var texts = items.map(function (item) { return { text: String(item), item: item } })
  return mergeSort(texts, function (a, b) { return compareText(a.text, b.text) })
    .map(function (pair) { return pair.item })
}

function sortInto (target, source, compare) {
  if (compare !== undefined) needsFunction(compare)
  var length = toLength(source.length)
  charge(length)
  var items = []
  var undefinedItems = 0
  for (var i = 0; i < length; i++) {
    if (!(i in source)) continue
    if (source[i] === undefined) undefinedItems++
    else items.push(source[i])
  }
  items = sortedItems(items, compare)
  for (i = 0; i < items.length; i++) target[i] = items[i]
  for (; undefinedItems > 0; undefinedItems--) target[i++] = undefined
  return i
}

hidden(ArrayPrototype, {
  sort: function sort (compare) {
    var array = asObject(this)
    var length = toLength(array.length)
    for (var i = sortInto(array, array, compare); i < length; i++) delete array[i]
    return array
  },
  push: ArrayPrototype.push,
  includes: function includes (wanted, from) {
    var length = toLength(this.length)
    charge(length / 8)
    for (var i = relativeIndex(from, length, 0); i < length; i++) {
      if (this[i] === wanted || (wanted !== wanted && this[i] !== this[i])) return true
    }
    return false
  },
  find: function find (test, self) {
    return search(this, test, self).value
  },
  findIndex: function (test, self) { return search(this, test, self).at },
  findLast: function findLast (test, self) {
    return searchBackwards(this, test, self).value
  },
  findLastIndex: function (test, self) { return searchBackwards(this, test, self).at },
  fill: function fill (value, start, end) {
    var length = toLength(this.length)
    var to = relativeIndex(end, length, length)
    for (var i = relativeIndex(start, length, 0); i < to; i++) {
      tick()
      this[i] = value
    }
    return this
  },
  copyWithin: function copyWithin (target, start, end) {
    var length = toLength(this.length)
    var to = relativeIndex(target, length, 0)
    var copy = ArrayPrototype.slice.call(this, start, end)
    charge(copy.length)
    for (var i = 0; i < copy.length && to + i < length; i++) {
      if (i in copy) this[to + i] = copy[i]
      else delete this[to + i]
    }
    return this
  },
  at: function at (index) {
    var length = toLength(this.length)
    index = toInteger(index)
    return this[index < 0 ? length + index : index]
  },
  flat: function flat (depth) {
    var out = []
    flatten(this, depth === undefined ? 1 : toInteger(depth), out)
    return out
  },
  flatMap: function flatMap (map, self) {
    var out = []
    flatten(ArrayPrototype.map.call(this, map, self), 1, out)
    return out
  },
  toReversed: function toReversed () { return copied(this).reverse() },
  toSorted: function toSorted (compare) {
    if (compare !== undefined) needsFunction(compare)
    return copied(this).sort(compare)
  },
  toSpliced: function toSpliced () {
    var copy = copied(this)
    ArrayPrototype.splice.apply(copy, arguments)
    return copy
  },
  'with': function (index, value) {
    var copy = copied(this)
    var at = toInteger(index)
    if (at < 0) at += copy.length
    if (at < 0 || at >= copy.length) throw new RangeError('Invalid index : ' + toInteger(index))
    copy[at] = value
    return copy
  }
})

function copied (array) {
  var out = []
  var length = toLength(array.length)
  charge(length)
  for (var i = 0; i < length; i++) out[i] = array[i]
  return out
}

// The value is the one that was tested; the test may have changed the array.
function search (array, test, self) {
  needsFunction(test)
  var length = toLength(array.length)
  for (var i = 0; i < length; i++) {
    tick()
    var value = array[i]
    if (test.call(self, value, i, array)) return { at: i, value: value }
  }
  return { at: -1, value: undefined }
}

function searchBackwards (array, test, self) {
  needsFunction(test)
  for (var i = toLength(array.length) - 1; i >= 0; i--) {
    tick()
    var value = array[i]
    if (test.call(self, value, i, array)) return { at: i, value: value }
  }
  return { at: -1, value: undefined }
}

function flatten (source, depth, out) {
  var length = toLength(source.length)
  charge(length)
  for (var i = 0; i < length; i++) {
    if (!(i in source)) continue
    if (depth > 0 && isArray(source[i])) flatten(source[i], depth - 1, out)
    else out.push(source[i])
  }
}

hidden(Array, {
  from: function from (source, map, self) {
    if (source === undefined || source === null) throw new TypeError(describe(source) + ' is not iterable')
    if (map !== undefined) needsFunction(map)
    var out = []
    var at = 0
    var add = function (value) {
      out.push(map === undefined ? value : map.call(self, value, at))
      at++
    }
    if (source[ITERATOR] !== undefined && source[ITERATOR] !== null) {
      iterate(source, add)
    } else {
      var length = toLength(source.length)
      for (var i = 0; i < length; i++) {
        tick()
        add(source[i])
      }
    }
    return out
  },
  of: function of () { return nativeSlice.call(arguments) }
})
