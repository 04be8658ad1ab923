// Numbers as text in other bases than ten. The standard leaves the digits open; these are the ones
// of V8, the shortest that lead back to the number for its fraction, exact for what is whole.

var nativeNumberText = Number.prototype.toString
var DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz'
// Digits that a double of this size cannot tell apart are zeros.
var EXACT_NUMBERS = 9007199254740992

// Half of the distance to the next larger double.
function halfStep (value) {
  var low = lowWord(value) + 1 | 0
  var next = fromWords(highWord(value) + (low === 0 ? 1 : 0), low)
  return Math.max(0.5 * (next - value), 5e-324)
}

function inBase (value, base) {
  var whole = Math.floor(value)
  var fraction = value - whole
  var digits = []
  var step = halfStep(value)
  while (fraction >= step) {
    fraction *= base
    step *= base
    var digit = Math.floor(fraction)
    digits.push(digit)
    fraction -= digit
    if ((fraction > 0.5 || (fraction === 0.5 && digit % 2 === 1)) && fraction + step > 1) {
      whole += roundUp(digits, base)
      break
    }
  }
  charge(digits.length)
  var out = digits.length === 0 ? '' : '.'
  for (var i = 0; i < digits.length; i++) out += DIGITS.charAt(digits[i])
  while (whole / base >= EXACT_NUMBERS) {
    tick()
    whole /= base
    out = '0' + out
  }
  do {
    tick()
    var rest = whole % base
    out = DIGITS.charAt(rest) + out
    whole = (whole - rest) / base
  } while (whole > 0)
  return out
}

// Adds one to the last digit; gives what is carried beyond the first.
function roundUp (digits, base) {
  while (digits.length > 0) {
    var digit = digits.pop() + 1
    if (digit < base) {
      digits.push(digit)
      return 0
    }
  }
  return 1
}

hidden(Number.prototype, {
  toString: function toString (base) {
    var text = nativeNumberText.call(this)
    if (base === undefined) return text
    base = toInteger(base)
    if (!(base >= 2 && base <= 36)) throw new RangeError('toString() radix must be between 2 and 36')
    var value = Number(this)
    if (base === 10 || !isFinite(value)) return text
    return value < 0 ? '-' + inBase(-value, base) : inBase(value, base)
  }
})
