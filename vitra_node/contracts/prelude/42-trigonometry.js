// Sine, cosine, tangent and their inverses.

function kernelSin (x, y, hasTail) {
  var ix = highWord(x) & 0x7fffffff
  if (ix < 0x3e400000) return x
  var z = x * x
  var v = z * x
  var r = 8.33333333332248946124e-03 + z * (-1.98412698298579493134e-04 +
    z * (2.75573137070700676789e-06 + z * (-2.50507602534068634195e-08 +
    z * 1.58969099521155010221e-10)))
  if (!hasTail) return x + v * (-1.66666666666666324348e-01 + z * r)
  return x - ((z * (0.5 * y - v * r) - y) - v * -1.66666666666666324348e-01)
}

function kernelCos (x, y) {
  var ix = highWord(x) & 0x7fffffff
  if (ix < 0x3e400000) return 1
  var z = x * x
  var r = z * (4.16666666666666019037e-02 + z * (-1.38888888888741095749e-03 +
    z * (2.48015872894767294178e-05 + z * (-2.75573143513906633035e-07 +
    z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11)))))
  if (ix < 0x3fd33333) return 1 - (0.5 * z - (z * r - x * y))
  var qx = ix > 0x3fe90000 ? 0.28125 : fromWords(ix - 0x00200000, 0)
  return (1 - qx) - ((0.5 * z - qx) - (z * r - x * y))
}

var T = [3.33333333333334091986e-01, 1.33333333333201242699e-01, 5.39682539762260521377e-02,
  2.18694882948595424599e-02, 8.86323982359930005737e-03, 3.59207910759131235356e-03,
  1.45620945432529025516e-03, 5.88041240820264096874e-04, 2.46463134818469906812e-04,
  7.81794442939557092300e-05, 7.14072491382608190305e-05, -1.85586374855275456654e-05,
  2.59073051863633712884e-05]

// tan (isTangent) or -1/tan of x + y, both within pi/4.
function kernelTan (x, y, isTangent) {
  var hx = highWord(x)
  var ix = hx & 0x7fffffff
  if (ix < 0x3e300000 && isTangent) return x
  if (ix >= 0x3fe59428) {
    if (x < 0) {
      x = -x
      y = -y
    }
    x = (PI_4 - x) + (PI_4_LO - y)
    y = 0
  }
  var z = x * x
  var w = z * z
  var r = T[1] + w * (T[3] + w * (T[5] + w * (T[7] + w * (T[9] + w * T[11]))))
  var v = z * (T[2] + w * (T[4] + w * (T[6] + w * (T[8] + w * (T[10] + w * T[12])))))
  var s = z * x
  r = y + z * (s * (r + v) + y)
  r += T[0] * s
  w = x + r
  if (ix >= 0x3fe59428) {
    v = isTangent ? 1 : -1
    return (1 - ((hx >> 30) & 2)) * (v - 2 * (x - (w * w / (w + v) - r)))
  }
  if (isTangent) return w
  z = withoutLow(w)
  v = r - (z - x)
  var a = -1 / w
  var t = withoutLow(a)
  s = 1 + t * z
  return t + a * (s + t * v)
}

// x less n times pi/2 as the sum of two doubles, remainder[0] and [1]; gives n.
var remainder = [0, 0]
var PI_2_1 = 1.57079632673412561417e+00
var PI_2_1T = 6.07710050650619224932e-11
var PI_2_2 = 6.07710050630396597660e-11
var PI_2_2T = 2.02226624879595063154e-21
var PI_2_3 = 2.02226624871116645580e-21
var PI_2_3T = 8.47842766036889956997e-32
var QUARTER_TURNS = []
for (var turn = 1; turn <= 32; turn++) QUARTER_TURNS.push(highWord(turn * Math.PI / 2))

function reduce (x) {
  var hx = highWord(x)
  var ix = hx & 0x7fffffff
  if (ix > 0x413921fb) return reduceLarge(x)
  var z
  if (ix < 0x4002d97c) {
    var sign = hx < 0 ? -1 : 1
    z = x - sign * PI_2_1
    var tail = sign * PI_2_1T
    if (ix === 0x3ff921fb) {
      z -= sign * PI_2_2
      tail = sign * PI_2_2T
    }
    remainder[0] = z - tail
    remainder[1] = (z - remainder[0]) - tail
    return sign
  }
  var t = abs(x)
  var n = (t * 6.36619772367581382433e-01 + 0.5) | 0
  var r = t - n * PI_2_1
  var w = n * PI_2_1T
  var y = r - w
  if (n >= 32 || ix === QUARTER_TURNS[n - 1]) {
    var j = ix >> 20
    if (j - ((highWord(y) >> 20) & 0x7ff) > 16) {
      t = r
      w = n * PI_2_2
      r = t - w
      w = n * PI_2_2T - ((t - r) - w)
      y = r - w
      if (j - ((highWord(y) >> 20) & 0x7ff) > 49) {
        t = r
        w = n * PI_2_3
        r = t - w
        w = n * PI_2_3T - ((t - r) - w)
        y = r - w
      }
    }
  }
  var rest = (r - y) - w
  remainder[0] = hx < 0 ? -y : y
  remainder[1] = hx < 0 ? -rest : rest
  return hx < 0 ? -n : n
}

// 2/pi in pieces of 24 bits.
var TWO_OVER_PI = [
  0xa2f983, 0x6e4e44, 0x1529fc, 0x2757d1, 0xf534dd, 0xc0db62, 0x95993c, 0x439041, 0xfe5163,
  0xabdebb, 0xc561b7, 0x246e3a, 0x424dd2, 0xe00649, 0x2eea09, 0xd1921c, 0xfe1deb, 0x1cb129,
  0xa73ee8, 0x8235f5, 0x2ebb44, 0x84e99c, 0x7026b4, 0x5f7e41, 0x3991d6, 0x398353, 0x39f49c,
  0x845f8b, 0xbdf928, 0x3b1ff8, 0x97ffde, 0x05980f, 0xef2f11, 0x8b5a0a, 0x6d1f6d, 0x367ecf,
  0x27cb09, 0xb74f46, 0x3f669e, 0x5fea2d, 0x7527ba, 0xc7ebe5, 0xf17b3d, 0x0739f7, 0x8a5292,
  0xea6bfb, 0x5fb11f, 0x8d5d08, 0x560330, 0x46fc7b, 0x6babf0, 0xcfbc20, 0x9af436, 0x1da9e3,
  0x91615e, 0xe61b08, 0x659985, 0x5f14a0, 0x68408d, 0xffd880, 0x4d7327, 0x310606, 0x1556ca,
  0x73a8c9, 0x60e27b, 0xc08c6b
]

// For |x| above 2^20 only the digits of 2/pi that matter are multiplied with the 53 bits of x, in
// whole numbers of 24 bits, and the fraction of a quarter turn is turned back.
function reduceLarge (x) {
  var exponent = ((highWord(x) >> 20) & 0x7ff) - 1075
  var mantissa = fromWords((highWord(x) & 0x000fffff) | 0x43300000, lowWord(x)) - 4503599627370496 + 4503599627370496
  var m = [mantissa % 16777216, Math.floor(mantissa / 16777216) % 16777216, Math.floor(mantissa / 281474976710656)]
  // x = mantissa * 2^exponent. Digit i of 2/pi has the weight 2^(-24 (i + 1)); whole multiples of 8
  // quarter turns do not matter.
  var first = Math.max(0, Math.floor((exponent - 3) / 24) - 2)
  var digits = 10
  var product = []
  for (var p = 0; p < digits + 3; p++) product.push(0)
  // product[p] has the weight 2^(exponent - 24 (first + digits) + 24 p).
  for (var i = 0; i < digits; i++) {
    var digit = TWO_OVER_PI[first + digits - 1 - i] || 0
    for (var k = 0; k < 3; k++) {
      var sum = product[i + k] + digit * m[k]
      product[i + k] = sum % 16777216
      product[i + k + 1] += Math.floor(sum / 16777216)
    }
  }
  for (p = 0; p < product.length - 1; p++) {
    product[p + 1] += Math.floor(product[p] / 16777216)
    product[p] %= 16777216
  }
  return finishLarge(x, product, exponent - 24 * (first + digits))
}

// Takes the quarter turns off a number in pieces of 24 bits, the lowest with the weight 2^low.
function finishLarge (x, product, low) {
  var n = 0
  var bits = -low
  var whole = Math.floor(bits / 24)
  var shift = bits % 24
  var unit = powerOfTwo(shift)
  n = (Math.floor(product[whole] / unit) + (product[whole + 1] || 0) * (16777216 / unit)) % 8
  var fraction = product.slice(0, whole + 1)
  fraction[whole] %= unit
  var isUpper = fraction[whole] * 2 >= unit && unit > 1
  if (unit === 1) isUpper = fraction[whole - 1] >= 8388608
  if (isUpper) {
    n++
    negate(fraction, whole, unit)
  }
  var high = 0
  var rest = 0
  var weight = 1 / unit
  for (var p = whole; p >= 0; p--) {
    var term = fraction[p] * weight
    var sum = high + term
    rest += term - (sum - high)
    high = sum
    weight /= 16777216
  }
  scaleByQuarterTurn(high, rest, isUpper !== x < 0)
  return x < 0 ? -n : n
}

function negate (fraction, whole, unit) {
  var carry = 1
  for (var p = 0; p <= whole; p++) {
    var limit = p === whole ? unit : 16777216
    var piece = limit - 1 - fraction[p] + carry
    carry = piece >= limit ? 1 : 0
    fraction[p] = piece - carry * limit
  }
}

// (high + rest) * pi/2 as two doubles, by Dekker's exact products.
function scaleByQuarterTurn (high, rest, isNegative) {
  var sum = high + rest
  rest = rest - (sum - high)
  var split = 134217729
  var t = split * sum
  var a1 = t - (t - sum)
  var a2 = sum - a1
  t = split * PI_2_HI
  var b1 = t - (t - PI_2_HI)
  var b2 = PI_2_HI - b1
  var product = sum * PI_2_HI
  var error = ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2
  error += sum * PI_2_LO + rest * PI_2_HI
  var y = product + error
  var tail = error - (y - product)
  remainder[0] = isNegative ? -y : y
  remainder[1] = isNegative ? -tail : tail
}

function powerOfTwo (n) {
  return fromWords(0x3ff00000 + (n << 20), 0)
}

function sin (x) {
  if (!isFinite(x)) return NaN
  if ((highWord(x) & 0x7fffffff) <= 0x3fe921fb) return kernelSin(x, 0, false)
  var n = reduce(x)
  var y0 = remainder[0]
  var y1 = remainder[1]
  switch (n & 3) {
    case 0: return kernelSin(y0, y1, true)
    case 1: return kernelCos(y0, y1)
    case 2: return -kernelSin(y0, y1, true)
  }
  return -kernelCos(y0, y1)
}

function cos (x) {
  if (!isFinite(x)) return NaN
  if ((highWord(x) & 0x7fffffff) <= 0x3fe921fb) return kernelCos(x, 0)
  var n = reduce(x)
  var y0 = remainder[0]
  var y1 = remainder[1]
  switch (n & 3) {
    case 0: return kernelCos(y0, y1)
    case 1: return -kernelSin(y0, y1, true)
    case 2: return -kernelCos(y0, y1)
  }
  return kernelSin(y0, y1, true)
}

function tan (x) {
  if (!isFinite(x)) return NaN
  if ((highWord(x) & 0x7fffffff) <= 0x3fe921fb) return kernelTan(x, 0, true)
  var n = reduce(x)
  return kernelTan(remainder[0], remainder[1], (n & 1) === 0)
}

function arcRatio (t) {
  return t * (1.66666666666666657415e-01 + t * (-3.25565818622400915405e-01 +
    t * (2.01212532134862925881e-01 + t * (-4.00555345006794114027e-02 +
    t * (7.91534994289814532176e-04 + t * 3.47933107596021167570e-05))))) /
    (1 + t * (-2.40339491173441421878e+00 + t * (2.02094576023350569471e+00 +
    t * (-6.88283971605453293030e-01 + t * 7.70381505559019352791e-02))))
}

function asin (x) {
  var ix = highWord(x) & 0x7fffffff
  if (!(abs(x) <= 1)) return NaN
  if (abs(x) === 1) return x * PI_2_HI + x * PI_2_LO
  if (ix < 0x3fe00000) return ix < 0x3e400000 ? x : x + x * arcRatio(x * x)
  var t = (1 - abs(x)) * 0.5
  var ratio = arcRatio(t)
  var s = sqrt(t)
  if (ix >= 0x3fef3333) {
    t = PI_2_HI - (2 * (s + s * ratio) - PI_2_LO)
  } else {
    var w = withoutLow(s)
    var c = (t - w * w) / (s + w)
    t = PI_4 - ((2 * s * ratio - (PI_2_LO - 2 * c)) - (PI_4 - 2 * w))
  }
  return x > 0 ? t : -t
}

function acos (x) {
  var ix = highWord(x) & 0x7fffffff
  if (!(abs(x) <= 1)) return NaN
  if (x === 1) return 0
  if (x === -1) return Math.PI + 2 * PI_2_LO
  if (ix < 0x3fe00000) {
    if (ix <= 0x3c600000) return PI_2_HI + PI_2_LO
    return PI_2_HI - (x - (PI_2_LO - x * arcRatio(x * x)))
  }
  var z = (1 - abs(x)) * 0.5
  var s = sqrt(z)
  if (x < 0) return Math.PI - 2 * (s + (arcRatio(z) * s - PI_2_LO))
  var df = withoutLow(s)
  var c = (z - df * df) / (s + df)
  return 2 * (df + (arcRatio(z) * s + c))
}

var ATAN_HI = [4.63647609000806093515e-01, PI_4, 9.82793723247329054082e-01, PI_2_HI]
var ATAN_LO = [2.26987774529616870924e-17, PI_4_LO, 1.39033110312309984516e-17, PI_2_LO]
var AT = [3.33333333333329318027e-01, -1.99999999998764832476e-01, 1.42857142725034663711e-01,
  -1.11111104054623557880e-01, 9.09088713343650656196e-02, -7.69187620504482999495e-02,
  6.66107313738753120669e-02, -5.83357013379057348645e-02, 4.97687799461593236017e-02,
  -3.65315727442169155270e-02, 1.62858201153657823623e-02]

function atan (x) {
  var hx = highWord(x)
  var ix = hx & 0x7fffffff
  if (x !== x) return NaN
  if (ix >= 0x44100000) return hx < 0 ? -ATAN_HI[3] - ATAN_LO[3] : ATAN_HI[3] + ATAN_LO[3]
  var id = -1
  if (ix < 0x3fdc0000) {
    if (ix < 0x3e400000) return x
  } else {
    x = abs(x)
    if (ix < 0x3fe60000) {
      id = 0
      x = (2 * x - 1) / (2 + x)
    } else if (ix < 0x3ff30000) {
      id = 1
      x = (x - 1) / (x + 1)
    } else if (ix < 0x40038000) {
      id = 2
      x = (x - 1.5) / (1 + 1.5 * x)
    } else {
      id = 3
      x = -1 / x
    }
  }
  var z = x * x
  var w = z * z
  var s1 = z * (AT[0] + w * (AT[2] + w * (AT[4] + w * (AT[6] + w * (AT[8] + w * AT[10])))))
  var s2 = w * (AT[1] + w * (AT[3] + w * (AT[5] + w * (AT[7] + w * AT[9]))))
  if (id < 0) return x - x * (s1 + s2)
  z = ATAN_HI[id] - ((x * (s1 + s2) - ATAN_LO[id]) - x)
  return hx < 0 ? -z : z
}

var PI_LO = 1.2246467991473531772e-16

function atan2 (y, x) {
  if (x !== x || y !== y) return NaN
  if (x === 1) return atan(y)
  var isLeft = highWord(x) < 0
  var isBelow = highWord(y) < 0
  if (y === 0) return isLeft ? (isBelow ? -Math.PI : Math.PI) : y
  if (x === 0) return isBelow ? -PI_2_HI : PI_2_HI
  if (abs(x) === Infinity) {
    var angle = abs(y) === Infinity ? (isLeft ? 3 * PI_4 : PI_4) : isLeft ? Math.PI : 0
    return isBelow ? -angle : angle
  }
  if (abs(y) === Infinity) return isBelow ? -PI_2_HI : PI_2_HI
  var k = ((highWord(y) & 0x7fffffff) - (highWord(x) & 0x7fffffff)) >> 20
  var z
  if (k > 60) {
    z = PI_2_HI + 0.5 * PI_LO
    isLeft = false
  } else if (isLeft && k < -60) {
    z = 0
  } else {
    z = atan(abs(y / x))
  }
  if (!isLeft) return isBelow ? -z : z
  return isBelow ? (z - PI_LO) - Math.PI : Math.PI - (z - PI_LO)
}
