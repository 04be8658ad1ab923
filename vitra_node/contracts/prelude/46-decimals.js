// Numbers as decimal text with a given count of digits, exact to the last one: the engine's own
// methods give at most 20 digits, and others than the standard for subnormal numbers and for those
// just below a power of ten. And text as numbers, where the engine takes more than the standard.

var nativeNumberValue = Number.prototype.valueOf
var NativeNumber = Number
var MAX_FRACTION_DIGITS = 100
// Digits are kept seven to an item, lowest first; these factors keep their products exact.
var ITEM = 10000000
var ITEM_DIGITS = 7
var TWOS = 29
var FIVES = 12

// Multiplies by `factor` to the power of `times`, `step` of them at once.
function multiply (items, factor, times, step) {
  while (times > 0) {
    var by = 1
    for (var i = 0; i < step && i < times; i++) by *= factor
    times -= step
    var carry = 0
    charge(1 + 2 * items.length)
    for (i = 0; i < items.length; i++) {
      var product = items[i] * by + carry
      carry = Math.floor(product / ITEM)
      items[i] = product - carry * ITEM
    }
    for (; carry > 0; carry = Math.floor(carry / ITEM)) items.push(carry % ITEM)
  }
}

// All digits of a positive number, and how many of them stand before the point (none if negative).
function decimalOf (value) {
  var high = highWord(value) >>> 0
  var exponent = (high >>> 20) & 0x7ff
  var whole = (high & 0xfffff) * 4294967296 + (lowWord(value) >>> 0)
  if (exponent === 0) exponent = 1
  else whole += 4503599627370496
  exponent -= 1075
  while (whole % 2 === 0) {
    whole /= 2
    exponent++
  }
  var items = []
  for (; whole > 0; whole = Math.floor(whole / ITEM)) items.push(whole % ITEM)
  if (exponent > 0) multiply(items, 2, exponent, TWOS)
  else multiply(items, 5, -exponent, FIVES)
  var digits = ''
  for (var i = items.length - 1; i >= 0; i--) {
    var text = '' + items[i]
    digits += digits === '' ? text : '0000000'.slice(text.length) + text
  }
  return { digits: digits, point: digits.length + Math.min(exponent, 0) }
}

// The first `count` digits, rounded, halves up; `point` moves when that carries over the first.
function roundedTo (decimal, count) {
  var digits = decimal.digits
  if (count >= digits.length) return { digits: digits + repeatText('0', count - digits.length), point: decimal.point }
  if (count < 0 || digits.charAt(count) < '5') return { digits: digits.slice(0, Math.max(count, 0)), point: decimal.point }
  for (var at = count - 1; at >= 0; at--) {
    var digit = digits.charAt(at)
    if (digit !== '9') {
      return {
        digits: digits.slice(0, at) + DIGITS.charAt(+digit + 1) + repeatText('0', count - 1 - at),
        point: decimal.point
      }
    }
  }
  return { digits: '1' + repeatText('0', count), point: decimal.point + 1 }
}

function exponential (digits, exponent) {
  return digits.charAt(0) + (digits.length > 1 ? '.' + digits.slice(1) : '') +
    (exponent < 0 ? 'e-' : 'e+') + abs(exponent)
}

function checkDigits (count, least, method, what) {
  if (count < least || count > MAX_FRACTION_DIGITS) {
    throw new RangeError(method + '() ' + what + ' must be between ' + least + ' and ' + MAX_FRACTION_DIGITS)
  }
}

function signOf (value) {
  return value < 0 ? '-' : ''
}

var nativeToExponential = Number.prototype.toExponential

hidden(Number.prototype, {
  toFixed: function toFixed (digits) {
    var value = nativeNumberValue.call(this)
    var count = toInteger(digits)
    checkDigits(count, 0, 'toFixed', 'digits argument')
    if (!(abs(value) < 1e21)) return '' + value
    var found = { digits: '', point: 0 }
    if (value !== 0) {
      var decimal = decimalOf(abs(value))
      found = roundedTo(decimal, decimal.point + count)
    }
    var text = found.digits
    if (text.length <= count) text = repeatText('0', count + 1 - text.length) + text
    var point = text.length - count
    return signOf(value) + text.slice(0, point) + (count > 0 ? '.' + text.slice(point) : '')
  },

  toExponential: function toExponential (digits) {
    var value = nativeNumberValue.call(this)
    var count = toInteger(digits)
    if (!isFinite(value)) return '' + value
    checkDigits(count, 0, 'toExponential', 'argument')
    // As many digits as lead back to the number, as in its plain text.
    if (digits === undefined) return nativeToExponential.call(value)
    if (value === 0) return exponential(repeatText('0', count + 1), 0)
    var found = roundedTo(decimalOf(abs(value)), count + 1)
    return signOf(value) + exponential(found.digits.slice(0, count + 1), found.point - 1)
  },

  toPrecision: function toPrecision (precision) {
    var value = nativeNumberValue.call(this)
    if (precision === undefined) return '' + value
    var count = toInteger(precision)
    if (!isFinite(value)) return '' + value
    checkDigits(count, 1, 'toPrecision', 'argument')
    var digits = repeatText('0', count)
    var exponent = 0
    if (value !== 0) {
      var found = roundedTo(decimalOf(abs(value)), count)
      digits = found.digits.slice(0, count)
      exponent = found.point - 1
    }
    if (exponent < -6 || exponent >= count) return signOf(value) + exponential(digits, exponent)
    if (exponent < 0) return signOf(value) + '0.' + repeatText('0', -exponent - 1) + digits
    if (exponent === count - 1) return signOf(value) + digits
    return signOf(value) + digits.slice(0, exponent + 1) + '.' + digits.slice(exponent + 1)
  }
})

// A sign before 0x, 0o or 0b is no number. `+x` in a contract is compiled to a call of this.
var SIGNED_BASE = /^[\s\ufeff\u00a0]*[+-]0[xXoObB]/

// The engine throws at exponents beyond 1e7. No text is long enough that a larger one says more.
var LARGE_EXPONENT = /^([\s\ufeff\u00a0]*[+-]?[0-9.]+[eE][+-]?)0*[1-9][0-9]{7,}/
var LARGEST_EXPONENT = '9999999'
var LARGE_EXPONENT_IN_JSON = /[0-9][eE][+-]?0*[1-9][0-9]{7,}/
var EXPONENT_OR_TEXT = /"(?:[^"\\]|\\[^])*"|([0-9][eE][+-]?)0*[1-9][0-9]{7,}/g

function boundExponent (text) {
  return nativeReplace.call(text, LARGE_EXPONENT, withLargestExponent)
}

function withLargestExponent (found, before) {
  return before === undefined ? found : before + LARGEST_EXPONENT
}

function boundExponentsInJson (text) {
  if (!nativeTest.call(LARGE_EXPONENT_IN_JSON, text)) return text
  return nativeReplace.call(text, EXPONENT_OR_TEXT, withLargestExponent)
}

function numberOf (value) {
  if (typeof value === 'number') return value
  if (typeof value !== 'string') return +value
  charge(value.length / CHARACTERS_PER_FUEL)
  return nativeTest.call(SIGNED_BASE, value) ? NaN : +boundExponent(value)
}

var nativeParseFloat = parseFloat

function NumberConstructor (value) {
  var number = arguments.length === 0 ? 0 : numberOf(value)
  return this instanceof NumberConstructor ? new NativeNumber(number) : number
}
nativeNames(NativeNumber).forEach(function (name) {
  if (name !== 'prototype') defineProperty(NumberConstructor, name, Object.getOwnPropertyDescriptor(NativeNumber, name))
})
defineProperty(NumberConstructor, 'prototype', { value: NativeNumber.prototype, writable: false })
hidden(NativeNumber.prototype, { constructor: NumberConstructor })
hidden(GLOBAL, {
  Number: NumberConstructor,
  parseFloat: function parseFloat (text) {
    return nativeParseFloat(boundExponent(String(text)))
  },
  isNaN: function isNaN (value) {
    value = numberOf(value)
    return value !== value
  },
  isFinite: function isFinite (value) {
    value = numberOf(value)
    return value - value === 0
  }
})
hidden(Number, { parseFloat: parseFloat })
