// Texts. JavaScript's strings are UTF-16; this engine keeps UTF-8 inside, and its search backwards
// through characters beyond U+FFFF reads outside of the string (Duktape issue 2568). So it never
// gets to see one: the two halves of such a character (U+D800 to U+DFFF) stand in the engine as
// U+E000 to U+E7FF. The compiler, the host and the functions here translate; the private-use
// characters of that range do not exist for contracts. Texts then also compare as they should.

var HALF_SHIFT = 0x800
var HALVES = /[\ue000-\ue7ff]/
var LONE_HALVES = /[\ue000-\ue3ff][\ue400-\ue7ff]|[\ue000-\ue7ff]/g

var nativeCharCodeAt = String.prototype.charCodeAt
var nativeFromCharCode = String.fromCharCode
var nativeReplace = String.prototype.replace
var nativeSplit = String.prototype.split

function hasHalves (text) {
  return nativeTest.call(HALVES, text)
}

// These take the engine's units.
function isHigh (unit) { return unit >= 0xe000 && unit <= 0xe3ff }
function isLow (unit) { return unit >= 0xe400 && unit <= 0xe7ff }

// Whether the character at an index takes two units.
function isPair (text, at) {
  return isHigh(nativeCharCodeAt.call(text, at)) && isLow(nativeCharCodeAt.call(text, at + 1))
}

// Gives every half without its other one to `change`.
function replaceLone (text, change) {
  if (!hasHalves(text)) return text
  return nativeReplace.call(text, LONE_HALVES, function (found) {
    return found.length === 2 ? found : change(found)
  })
}

function wellFormed (text) {
  return replaceLone(text, function () { return '\ufffd' })
}

function isWellFormed (text) {
  return !hasHalves(text) || wellFormed(text) === text
}

// The engine's character for a unit of UTF-16.
function fromUnit (unit) {
  if (unit >= 0xd800 && unit <= 0xdfff) return nativeFromCharCode(unit + HALF_SHIFT)
  if (unit >= 0xe000 && unit <= 0xe7ff) {
    throw new RangeError('the characters U+E000 to U+E7FF are not available in contracts')
  }
  return nativeFromCharCode(unit)
}

function fromPoint (point) {
  if (point <= 0xffff) return fromUnit(point)
  point -= 0x10000
  return nativeFromCharCode(0xe000 + (point >> 10), 0xe400 + (point & 0x3ff))
}

function pointAt (text, at) {
  var unit = nativeCharCodeAt.call(text, at)
  if (isPair(text, at)) {
    return ((unit - 0xe000) << 10) + nativeCharCodeAt.call(text, at + 1) - 0xe400 + 0x10000
  }
  return unit >= 0xe000 && unit <= 0xe7ff ? unit - HALF_SHIFT : unit
}

hidden(String, {
  fromCharCode: function fromCharCode () {
    var text = ''
    for (var i = 0; i < arguments.length; i++) text += fromUnit(arguments[i] & 0xffff)
    return text
  },
  fromCodePoint: function fromCodePoint () {
    var text = ''
    for (var i = 0; i < arguments.length; i++) {
      var point = Number(arguments[i])
      if (!(point >= 0 && point <= 0x10ffff && Math.floor(point) === point)) {
        throw new RangeError('Invalid code point ' + arguments[i])
      }
      text += fromPoint(point)
    }
    return text
  }
})

hidden(String.prototype, {
  charCodeAt: function charCodeAt (at) {
    var unit = nativeCharCodeAt.call(this, at)
    return unit >= 0xe000 && unit <= 0xe7ff ? unit - HALF_SHIFT : unit
  },
  codePointAt: function codePointAt (at) {
    var text = thisText(this)
    at = toInteger(at)
    return at < 0 || at >= text.length ? undefined : pointAt(text, at)
  }
})

// Escapes of halves in JSON, in patterns, and in the old %u form.
var UNIT_ESCAPE = /\\(u[0-9a-fA-F]{4}|[^])/g

function unescapeHalves (text) {
  return nativeReplace.call(text, UNIT_ESCAPE, function (found, escape) {
    var unit = escape.length === 5 ? parseInt(escape.slice(1), 16) : 0
    return unit >= 0xd800 && unit <= 0xe7ff ? fromUnit(unit) : found
  })
}

var nativeEncode = { encodeURI: encodeURI, encodeURIComponent: encodeURIComponent }
var nativeDecode = { decodeURI: decodeURI, decodeURIComponent: decodeURIComponent }
var nativeEscape = escape
var nativeUnescape = unescape

function hexByte (byte) {
  return '%' + (byte < 16 ? '0' : '') + byte.toString(16).toUpperCase()
}

function percentPoint (pair) {
  if (pair.length !== 2) throw new URIError('URI malformed')
  var point = pointAt(pair, 0)
  return hexByte(0xf0 | point >> 18) + hexByte(0x80 | point >> 12 & 63) +
    hexByte(0x80 | point >> 6 & 63) + hexByte(0x80 | point & 63)
}

Object.keys(nativeEncode).forEach(function (name) {
  var native = nativeEncode[name]
  var own = {}
  own[name] = function (text) {
    text = String(text)
    chargeText(text)
    if (!hasHalves(text)) return native(text)
    // Neither side of a cut is changed by the other.
    var out = ''
    var at = 0
    nativeReplace.call(text, LONE_HALVES, function (found, index) {
      out += native(text.slice(at, index)) + percentPoint(found)
      at = index + found.length
      return ''
    })
    return out + native(text.slice(at))
  }
  hidden(GLOBAL, own)
})

var FOUR_BYTES = /%[fF][0-4](?:%[89abAB][0-9a-fA-F]){3}/g

Object.keys(nativeDecode).forEach(function (name) {
  var native = nativeDecode[name]
  var own = {}
  own[name] = function (text) {
    text = String(text)
    chargeText(text)
    return native(nativeReplace.call(text, FOUR_BYTES, function (found) {
      var bytes = found.slice(1).split('%').map(function (hex) { return parseInt(hex, 16) })
      var point = (bytes[0] & 7) << 18 | (bytes[1] & 63) << 12 | (bytes[2] & 63) << 6 | bytes[3] & 63
      if (point < 0x10000 || point > 0x10ffff) throw new URIError('URI malformed')
      return fromPoint(point)
    }))
  }
  hidden(GLOBAL, own)
})

hidden(GLOBAL, {
  escape: function (text) {
    return nativeReplace.call(nativeEscape(String(text)), /%u[eE]([0-7][0-9a-fA-F]{2})/g, function (found, digits) {
      return '%u' + (0xe000 + parseInt(digits, 16) - HALF_SHIFT).toString(16).toUpperCase()
    })
  },
  unescape: function (text) {
    return nativeUnescape(nativeReplace.call(String(text), /%u([dDeE][0-9a-fA-F]{3})/g, function (found, digits) {
      var unit = parseInt(digits, 16)
      return unit >= 0xd800 && unit <= 0xe7ff ? fromUnit(unit) : found
    }))
  }
})
