// x^y.

var CP = 9.61796693925975554329e-01
var CP_H = 9.61796700954437255859e-01
var CP_L = -7.02846165095275826516e-09

function pow (x, y) {
  x = Number(x)
  y = Number(y)
  if (y === 0) return 1
  if (x !== x || y !== y) return NaN
  var ax = abs(x)
  if (ax === 1 && abs(y) === Infinity) return NaN
  if (x === 1) return 1
  if (abs(y) === Infinity) return (ax > 1) === (y > 0) ? Infinity : 0
  // Whether y is an odd (1) or even (2) whole number, or none (0).
  var whole = Math.floor(y) === y ? (y % 2 === 0 ? 2 : 1) : 0
  var isNegative = highWord(x) < 0
  if (ax === Infinity || x === 0) {
    var edge = (ax === Infinity) === (y > 0) ? Infinity : 0
    return isNegative && whole === 1 ? -edge : edge
  }
  if (isNegative && whole === 0) return NaN
  if (y === 1) return x
  if (y === -1) return 1 / x
  if (y === 2) return x * x
  if (y === 0.5 && !isNegative) return sqrt(x)
  var s = isNegative && whole === 1 ? -1 : 1
  if (ax === 1) return s
  if (whole !== 0 && abs(y) <= 1024) {
    var exact = powWhole(ax, y)
    if (exact !== 0) return s * exact
  }
  return powPositive(ax, y, s)
}

// x^n by squaring in pairs of doubles, so that 10 ** -5 is 1e-5: the general way is often one
// digit off. Gives 0 where the pairs could overflow or lose digits.
function powWhole (x, n) {
  var high = 1
  var low = 0
  var baseHigh = x
  var baseLow = 0
  for (var left = abs(n); left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) {
      multiplyPair(high, low, baseHigh, baseLow)
      high = pair[0]
      low = pair[1]
      if (!(high > 1e-280 && high < 1e280)) return 0
    }
    if (left > 1) {
      multiplyPair(baseHigh, baseLow, baseHigh, baseLow)
      baseHigh = pair[0]
      baseLow = pair[1]
      if (!(baseHigh > 1e-280 && baseHigh < 1e280)) return 0
    }
  }
  if (n > 0) return high + low
  var quotient = 1 / high
  exactProduct(quotient, high)
  return quotient + ((1 - pair[0]) - pair[1] - quotient * low) / high
}

var pair = [0, 0]

// a * b as the sum of two doubles, by Dekker.
function exactProduct (a, b) {
  var t = 134217729 * a
  var a1 = t - (t - a)
  var a2 = a - a1
  t = 134217729 * b
  var b1 = t - (t - b)
  var b2 = b - b1
  var product = a * b
  pair[0] = product
  pair[1] = ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2
}

function multiplyPair (aHigh, aLow, bHigh, bLow) {
  exactProduct(aHigh, bHigh)
  var rest = pair[1] + (aHigh * bLow + aLow * bHigh)
  var sum = pair[0] + rest
  pair[1] = rest - (sum - pair[0])
  pair[0] = sum
}

// s * ax^y for finite ax > 0 other than 1 and finite y other than 0.
function powPositive (ax, y, s) {
  var ix = highWord(ax)
  var t1
  var t2
  var t
  var u
  var v
  var w
  if (abs(y) > 2147483648) {
    if (ix < 0x3fefffff) return y < 0 ? s * Infinity : s * 0
    if (ix > 0x3ff00000) return y > 0 ? s * Infinity : s * 0
    if (abs(y) > 18446744073709551616) return (y < 0) === (ax < 1) ? s * Infinity : s * 0
    t = ax - 1
    w = t * t * (0.5 - t * (0.3333333333333333333333 - t * 0.25))
    u = 1.44269502162933349609e+00 * t
    v = t * 1.92596299112661746887e-08 - w * INV_LN2
    t1 = withoutLow(u + v)
    t2 = v - (t1 - u)
  } else {
    var n = 0
    if (ix < 0x00100000) {
      ax *= 9007199254740992
      n = -53
      ix = highWord(ax)
    }
    n += (ix >> 20) - 0x3ff
    var j = ix & 0x000fffff
    ix = j | 0x3ff00000
    var k = 0
    if (j > 0x3988e && j < 0xbb67a) {
      k = 1
    } else if (j >= 0xbb67a) {
      n++
      ix -= 0x00100000
    }
    ax = withHigh(ax, ix)
    var bp = k === 1 ? 1.5 : 1
    u = ax - bp
    v = 1 / (ax + bp)
    var ss = u * v
    var sH = withoutLow(ss)
    var tH = fromWords(((ix >> 1) | 0x20000000) + 0x00080000 + (k << 18), 0)
    var tL = ax - (tH - bp)
    var sL = v * ((u - sH * tH) - sH * tL)
    var s2 = ss * ss
    var r = s2 * s2 * (5.99999999999994648725e-01 + s2 * (4.28571428578550184252e-01 +
      s2 * (3.33333329818377432918e-01 + s2 * (2.72728123808534006489e-01 +
      s2 * (2.30660745775561754067e-01 + s2 * 2.06975017800338417784e-01)))))
    r += sL * (sH + ss)
    s2 = sH * sH
    tH = withoutLow(3 + s2 + r)
    tL = r - ((tH - 3) - s2)
    u = sH * tH
    v = sL * tH + tL * ss
    var pH = withoutLow(u + v)
    var pL = v - (pH - u)
    var zH = CP_H * pH
    var zL = CP_L * pH + pL * CP + (k === 1 ? 1.35003920212974897128e-08 : 0)
    t = n
    var dpH = k === 1 ? 5.84962487220764160156e-01 : 0
    t1 = withoutLow(((zH + zL) + dpH) + t)
    t2 = zL - (((t1 - t) - dpH) - zH)
  }
  var y1 = withoutLow(y)
  return powOfTwo((y - y1) * t1 + y * t2, y1 * t1, s)
}

// s * 2^(pH + pL)
function powOfTwo (pL, pH, s) {
  var z = pL + pH
  var j = highWord(z)
  if (j >= 0x40900000) {
    if (z > 1024 || (z === 1024 && pL + 8.0085662595372944372e-17 > z - pH)) return s * Infinity
  } else if ((j & 0x7fffffff) >= 0x4090cc00) {
    if (z < -1075 || (z === -1075 && pL <= z - pH)) return s * 0
  }
  var i = j & 0x7fffffff
  var k = (i >> 20) - 0x3ff
  var n = 0
  if (i > 0x3fe00000) {
    n = j + (0x00100000 >> (k + 1))
    k = ((n & 0x7fffffff) >> 20) - 0x3ff
    var t0 = fromWords(n & ~(0x000fffff >> k), 0)
    n = ((n & 0x000fffff) | 0x00100000) >> (20 - k)
    if (j < 0) n = -n
    pH -= t0
  }
  var t = withoutLow(pL + pH)
  var u = t * 6.93147182464599609375e-01
  var v = (pL - (t - pH)) * 6.93147180559945286227e-01 + t * -1.90465429995776804525e-09
  z = u + v
  var w = v - (z - u)
  t = z * z
  var t1 = z - t * (P1 + t * (P2 + t * (P3 + t * (P4 + t * P5))))
  var r = (z * t1) / (t1 - 2) - (w + z * w)
  z = 1 - (r - z)
  j = highWord(z) + (n << 20)
  if ((j >> 20) <= 0) return s * scaleByPower(z, n)
  return s * withHigh(z, j)
}

function scaleByPower (x, n) {
  if (n >= -1022) return x * fromWords(0x3ff00000 + (n << 20), 0)
  return x * fromWords(0x3ff00000 + ((n + 1000) << 20), 0) * fromWords(0x3ff00000 - (1000 << 20), 0)
}
