// String methods up to ES2022, and the bounds of those that make large texts.

var MAX_STRING_LENGTH = 16777216

function boundText (length) {
  if (length > MAX_STRING_LENGTH) throw new RangeError('Invalid string length')
  charge(length / CHARACTERS_PER_FUEL)
}

function thisText (value) {
  if (value === undefined || value === null) {
    throw new TypeError('String method called on null or undefined')
  }
  return String(value)
}

function padding (text, length, filler) {
  length = toLength(length)
  filler = filler === undefined ? ' ' : String(filler)
  if (length <= text.length || filler === '') return ''
  boundText(length)
  var missing = length - text.length
  return repeatText(filler, Math.ceil(missing / filler.length)).slice(0, missing)
}

function repeatText (text, count) {
  var out = ''
  while (count > 0) {
    if (count % 2 === 1) out += text
    count = Math.floor(count / 2)
    if (count > 0) text += text
  }
  return out
}

// The first halves of the blocks beyond U+FFFF that hold letters in two cases.
var CASED_PAIRS = /[\ue001\ue003\ue006\ue01b\ue03a][\ue400-\ue7ff]/

var WHITE_START = /^[\s\ufeff\u00a0]+/
var WHITE_END = /[\s\ufeff\u00a0]+$/

function isRegExp (value) {
  return isObject(value) && nativeToString.call(value) === '[object RegExp]'
}

hidden(String.prototype, {
  repeat: function repeat (count) {
    var text = thisText(this)
    var times = toInteger(count)
    if (times < 0 || times === Infinity) throw new RangeError('Invalid count value: ' + String(count))
    boundText(text.length * times)
    return repeatText(text, times)
  },
  padStart: function padStart (length, filler) {
    var text = thisText(this)
    return padding(text, length, filler) + text
  },
  padEnd: function padEnd (length, filler) {
    var text = thisText(this)
    return text + padding(text, length, filler)
  },
  trimStart: function trimStart () { return thisText(this).replace(WHITE_START, '') },
  trimEnd: function trimEnd () { return thisText(this).replace(WHITE_END, '') },
  at: function at (index) {
    var text = thisText(this)
    index = toInteger(index)
    if (index < 0) index += text.length
    return index < 0 || index >= text.length ? undefined : text.charAt(index)
  },
  includes: function includes (wanted, from) {
    if (isRegExp(wanted)) throw new TypeError('First argument to String.prototype.includes must not be a regular expression')
    return thisText(this).indexOf(String(wanted), from) !== -1
  },
  replaceAll: function replaceAll (wanted, replacement) {
    var text = thisText(this)
    if (isRegExp(wanted)) {
      if (!wanted.global) throw new TypeError('replaceAll must be called with a global RegExp')
      return text.replace(wanted, replacement)
    }
    return replaceEvery(text, String(wanted), replacement)
  },
  matchAll: function matchAll (pattern) {
    var text = thisText(this)
    if (isRegExp(pattern) && !pattern.global) {
      throw new TypeError('String.prototype.matchAll called with a non-global RegExp argument')
    }
    chargeText(text)
    var search = isRegExp(pattern) ? copyPattern(pattern) : new RegExp(pattern, 'g')
    if (isRegExp(pattern)) search.lastIndex = pattern.lastIndex
    var done = false
    return makeIterator(function () {
      tick()
      var match = done ? null : execPattern(search, text)
      if (match === null) {
        done = true
        return { value: undefined, done: true }
      }
      charge(ENTRY_FUEL + match[0].length / CHARACTERS_PER_FUEL)
      if (match[0] === '') stepOver(search, text)
      return { value: match, done: false }
    }, 'RegExp String Iterator')
  },
  isWellFormed: function () { return isWellFormed(thisText(this)) },
  toWellFormed: function () { return wellFormed(thisText(this)) },
  normalize: function () {
    throw new TypeError('normalize depends on the Unicode version of the engine')
  },
  localeCompare: localeDependent('localeCompare'),
  toLocaleLowerCase: localeDependent('toLocaleLowerCase'),
  toLocaleUpperCase: localeDependent('toLocaleUpperCase')
})
hidden(String.prototype, {
  trimLeft: String.prototype.trimStart, trimRight: String.prototype.trimEnd
})

// A text pattern may be empty, and `$` patterns count in the replacement.
function replaceEvery (text, wanted, replacement) {
  if (typeof replacement !== 'function') replacement = String(replacement)
  chargeText(text)
  chargeSearch(text, wanted)
  var out = ''
  var at = 0
  var step = Math.max(wanted.length, 1)
  for (var found = nativeIndexOf.call(text, wanted, 0); found !== -1; found = nativeIndexOf.call(text, wanted, found + step)) {
    if (found > text.length) break
    var by = typeof replacement === 'function'
      ? String(replacement(wanted, found, text))
      : expandReplacement(replacement, wanted, found, text)
    charge(1 + (by.length + found - at) / CHARACTERS_PER_FUEL)
    out += text.slice(at, found) + by
    at = found + wanted.length
    if (found + step > text.length) break
  }
  return out + text.slice(at)
}

function expandReplacement (pattern, found, at, text) {
  if (nativeIndexOf.call(pattern, '$') === -1) return pattern
  return nativeReplace.call(pattern, /\$([&$`'])/g, function (all, kind) {
    var by = kind === '$' ? '$' : kind === '&' ? found : kind === '`' ? text.slice(0, at) : text.slice(at + found.length)
    // Few characters can become very many, and they take memory before they are a text.
    charge(1 + by.length / SEARCHED_CHARACTERS_PER_FUEL)
    return by
  })
}

// The engine compares what is searched for at every place that begins like it, some two thousand
// characters in the time of a unit of fuel.
var COMPARED_CHARACTERS_PER_FUEL = 2048

function chargeSearch (text, wanted) {
  charge((wanted.length + 1) / CHARACTERS_PER_FUEL)
  charge(Math.max(text.length - wanted.length, 0) * wanted.length / COMPARED_CHARACTERS_PER_FUEL)
}

function replaceOnce (text, wanted, replacement) {
  if (typeof replacement !== 'function') replacement = String(replacement)
  var found = nativeIndexOf.call(text, wanted)
  if (found === -1) return text
  var by = typeof replacement === 'function'
    ? String(replacement(wanted, found, text))
    : expandReplacement(replacement, wanted, found, text)
  boundText(text.length + by.length)
  return text.slice(0, found) + by + text.slice(found + wanted.length)
}

var SEARCHES = ['indexOf', 'lastIndexOf', 'split', 'startsWith', 'endsWith']

;['split', 'replace', 'match', 'search', 'indexOf', 'lastIndexOf', 'toLowerCase', 'toUpperCase',
  'concat', 'startsWith', 'endsWith'
].forEach(function (name) {
  var native = String.prototype[name]
  var isCase = name === 'toLowerCase' || name === 'toUpperCase'
  var takesPattern = name === 'match' || name === 'search'
  var takesText = SEARCHES.indexOf(name) !== -1
  var method = function (a, b) {
    var text = thisText(this)
    if (name !== 'startsWith' && name !== 'endsWith') chargeText(text)
    if (name === 'split' || isRegExp(a)) charge(text.length / SEARCHED_CHARACTERS_PER_FUEL)
    if (isCase && nativeTest.call(CASED_PAIRS, text)) {
      throw new RangeError(name + ' of characters beyond U+FFFF is not available in contracts')
    }
    if (takesPattern && !isRegExp(a)) a = new RegExp(a)
    if (name === 'match' && !a.global) return execPattern(a, text)
    if (isRegExp(a)) {
      var known = patternOf(a)
      if (known !== undefined && name in ofPattern) return ofPattern[name](text, a, b)
      // What the engine puts in for $ is not paid for.
      if (name === 'replace' && typeof b !== 'function') {
        b = String(b)
        return nativeIndexOf.call(b, '$') === -1 ? native.call(text, a, b) : ofPattern.replace(text, a, b)
      }
    } else if (name === 'replace') {
      a = String(a)
      chargeSearch(text, a)
      return replaceOnce(text, a, b)
    } else if (takesText && (name !== 'split' || a !== undefined)) {
      if (name === 'split' && b !== undefined) b = b >>> 0
      a = String(a)
      if (name === 'startsWith' || name === 'endsWith') charge((a.length + 1) / CHARACTERS_PER_FUEL)
      else chargeSearch(text, a)
      return arguments.length > 1 ? native.call(text, a, b) : native.call(text, a)
    }
    return takesPattern ? native.call(text, a) : native.apply(text, arguments)
  }
  defineProperty(method, 'name', { value: name, configurable: true })
  defineProperty(method, 'length', { value: native.length, configurable: true })
  var own = {}
  own[name] = method
  hidden(String.prototype, own)
})

hidden(String, {
  raw: function raw (strings) {
    var cooked = strings.raw
    var length = toLength(cooked.length)
    var out = ''
    for (var i = 0; i < length; i++) {
      tick()
      out += String(cooked[i])
      if (i + 1 < length && i + 1 < arguments.length) out += String(arguments[i + 1])
    }
    return out
  }
})
