// The results of libm depend on the processor: with fused multiply-add the last bits differ. What
// the standard fixes to the bit stays (abs, floor, sqrt, …); the rest is computed here from exact
// operations, by the algorithms of Sun's fdlibm, which other engines use as well.

// The two words of a double. The machine is little-endian: the engine is built for x86-64 only.
var f64 = new Float64Array(1)
var words = new Int32Array(f64.buffer)

function highWord (x) {
  f64[0] = x
  return words[1]
}

function lowWord (x) {
  f64[0] = x
  return words[0]
}

function fromWords (high, low) {
  words[1] = high
  words[0] = low
  return f64[0]
}

function withHigh (x, high) {
  f64[0] = x
  words[1] = high
  return f64[0]
}

function withoutLow (x) {
  f64[0] = x
  words[0] = 0
  return f64[0]
}

var sqrt = Math.sqrt
var abs = Math.abs
var LN2_HI = 6.93147180369123816490e-01
var LN2_LO = 1.90821492927058770002e-10
var INV_LN2 = 1.44269504088896338700e+00
var TWO54 = 18014398509481984
var TWO1023 = 8.98846567431158e307
var TWO_M1000 = 9.33263618503218878990e-302
var P1 = 1.66666666666666019037e-01
var P2 = -2.77777777770155933842e-03
var P3 = 6.61375632143793436117e-05
var P4 = -1.65339022054652515390e-06
var P5 = 4.13813679705723846039e-08
var PI_2_HI = 1.57079632679489655800e+00
var PI_2_LO = 6.12323399573676603587e-17
var PI_4 = 7.85398163397448278999e-01
var PI_4_LO = 3.06161699786838301793e-17

function exp (x) {
  var hx = highWord(x)
  var isNegative = hx < 0
  hx &= 0x7fffffff
  if (x !== x) return NaN
  if (x > 7.09782712893383973096e+02) return Infinity
  if (x < -7.45133219101941108420e+02) return 0
  var hi = 0
  var lo = 0
  var k = 0
  if (hx > 0x3fd62e42) {
    if (hx < 0x3ff0a2b2) {
      if (x === 1) return Math.E
      hi = isNegative ? x + LN2_HI : x - LN2_HI
      lo = isNegative ? -LN2_LO : LN2_LO
      k = isNegative ? -1 : 1
    } else {
      k = (INV_LN2 * x + (isNegative ? -0.5 : 0.5)) | 0
      hi = x - k * LN2_HI
      lo = k * LN2_LO
    }
    x = hi - lo
  } else if (hx < 0x3e300000) {
    return 1 + x
  }
  var t = x * x
  var c = x - t * (P1 + t * (P2 + t * (P3 + t * (P4 + t * P5))))
  if (k === 0) return 1 - ((x * c) / (c - 2) - x)
  var y = 1 - ((lo - (x * c) / (2 - c)) - hi)
  if (k === 1024) return y * 2 * TWO1023
  if (k >= -1021) return y * fromWords(0x3ff00000 + (k << 20), 0)
  return y * fromWords(0x3ff00000 + ((k + 1000) << 20), 0) * TWO_M1000
}

var LG = [6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
  2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
  1.479819860511658591e-01]

// The exponent of x and x scaled to [sqrt(1/2), sqrt(2)): what all logarithms begin with.
var scaled = 0

function scale (x) {
  var hx = highWord(x)
  var k = 0
  if (hx < 0x00100000) {
    k = -54
    x *= TWO54
    hx = highWord(x)
  }
  k += (hx >> 20) - 1023
  hx &= 0x000fffff
  var i = (hx + 0x95f64) & 0x100000
  scaled = withHigh(x, hx | (i ^ 0x3ff00000))
  return k + (i >> 20)
}

function log (x) {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN
  if (x === Infinity) return x
  var k = scale(x)
  var f = scaled - 1
  var hx = highWord(scaled) & 0x000fffff
  if ((0x000fffff & (2 + hx)) < 3) {
    if (f === 0) return k === 0 ? 0 : k * LN2_HI + k * LN2_LO
    var r3 = f * f * (0.5 - 0.33333333333333333 * f)
    return k === 0 ? f - r3 : k * LN2_HI - ((r3 - k * LN2_LO) - f)
  }
  var s = f / (2 + f)
  var z = s * s
  var w = z * z
  var t1 = w * (LG[1] + w * (LG[3] + w * LG[5]))
  var t2 = z * (LG[0] + w * (LG[2] + w * (LG[4] + w * LG[6])))
  var r = t2 + t1
  if (((hx - 0x6147a) | (0x6b851 - hx)) > 0) {
    var hfsq = 0.5 * f * f
    return k === 0 ? f - (hfsq - s * (hfsq + r))
      : k * LN2_HI - ((hfsq - (s * (hfsq + r) + k * LN2_LO)) - f)
  }
  return k === 0 ? f - s * (f - r) : k * LN2_HI - ((s * (f - r) - k * LN2_LO) - f)
}

function log2 (x) {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN
  if (x === Infinity) return x
  if (x === 1) return 0
  var k = scale(x)
  var f = scaled - 1
  var hfsq = 0.5 * f * f
  var s = f / (2 + f)
  var z = s * s
  var w = z * z
  var t1 = w * (LG[1] + w * (LG[3] + w * LG[5]))
  var t2 = z * (LG[0] + w * (LG[2] + w * (LG[4] + w * LG[6])))
  var r = s * (hfsq + (t2 + t1))
  var hi = withoutLow(f - hfsq)
  var lo = (f - hi) - hfsq + r
  var valHi = hi * 1.44269504072144627571e+00
  var valLo = (lo + hi) * 1.67517131648865118353e-10 + lo * 1.44269504072144627571e+00
  var sum = k + valHi
  return valLo + ((k - sum) + valHi) + sum
}

function log10 (x) {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN
  if (x === Infinity) return x
  if (x === 1) return 0
  var k = 0
  if (highWord(x) < 0x00100000) {
    k = -54
    x *= TWO54
  }
  var hx = highWord(x)
  k += (hx >> 20) - 1023
  var i = k < 0 ? 1 : 0
  x = withHigh(x, (hx & 0x000fffff) | ((0x3ff - i) << 20))
  var y = k + i
  return y * 3.69423907715893078616e-13 + 4.34294481903251816668e-01 * log(x) + y * 3.01029995663611771306e-01
}

function log1p (x) {
  var hx = highWord(x)
  var ax = hx & 0x7fffffff
  var k = 1
  var f = 0
  var c = 0
  var u = 0
  var hu = 1
  if (x !== x || x < -1) return NaN
  if (x === -1) return -Infinity
  if (x === Infinity) return x
  if (hx < 0x3fda827a) {
    if (ax < 0x3e200000) return ax < 0x3c900000 ? x : x - x * x * 0.5
    if (hx > 0 || hx <= (0xbfd2bec4 | 0)) {
      k = 0
      f = x
      hu = 1
    }
  }
  if (k !== 0) {
    if (hx < 0x43400000) {
      u = 1 + x
      hu = highWord(u)
      k = (hu >> 20) - 1023
      c = (k > 0 ? 1 - (u - x) : x - (u - 1)) / u
    } else {
      u = x
      hu = highWord(u)
      k = (hu >> 20) - 1023
    }
    hu &= 0x000fffff
    if (hu < 0x6a09e) {
      u = withHigh(u, hu | 0x3ff00000)
    } else {
      k++
      u = withHigh(u, hu | 0x3fe00000)
      hu = (0x00100000 - hu) >> 2
    }
    f = u - 1
  }
  var hfsq = 0.5 * f * f
  if (hu === 0) {
    if (f === 0) return k === 0 ? 0 : k * LN2_HI + (c + k * LN2_LO)
    var r3 = hfsq * (1 - 0.66666666666666666 * f)
    return k === 0 ? f - r3 : k * LN2_HI - ((r3 - (k * LN2_LO + c)) - f)
  }
  var s = f / (2 + f)
  var z = s * s
  var r = z * (LG[0] + z * (LG[1] + z * (LG[2] + z * (LG[3] + z * (LG[4] + z * (LG[5] + z * LG[6]))))))
  return k === 0 ? f - (hfsq - s * (hfsq + r))
    : k * LN2_HI - ((hfsq - (s * (hfsq + r) + (k * LN2_LO + c))) - f)
}

function expm1 (x) {
  var hx = highWord(x)
  var isNegative = hx < 0
  hx &= 0x7fffffff
  var k = 0
  var c = 0
  if (x !== x) return NaN
  if (hx >= 0x4043687a) {
    if (x > 7.09782712893383973096e+02) return Infinity
    if (isNegative) return -1
  }
  if (hx > 0x3fd62e42) {
    var hi
    var lo
    if (hx < 0x3ff0a2b2) {
      hi = isNegative ? x + LN2_HI : x - LN2_HI
      lo = isNegative ? -LN2_LO : LN2_LO
      k = isNegative ? -1 : 1
    } else {
      k = (INV_LN2 * x + (isNegative ? -0.5 : 0.5)) | 0
      hi = x - k * LN2_HI
      lo = k * LN2_LO
    }
    x = hi - lo
    c = (hi - x) - lo
  } else if (hx < 0x3c900000) {
    return x
  }
  var hfx = 0.5 * x
  var hxs = x * hfx
  var r1 = 1 + hxs * (-3.33333333333331316428e-02 + hxs * (1.58730158725481460165e-03 +
    hxs * (-7.93650757867487942473e-05 + hxs * (4.00821782732936239552e-06 +
    hxs * -2.01099218183624371326e-07))))
  var t = 3 - r1 * hfx
  var e = hxs * ((r1 - t) / (6 - x * t))
  if (k === 0) return x - (x * e - hxs)
  e = x * (e - c) - c
  e -= hxs
  if (k === -1) return 0.5 * (x - e) - 0.5
  if (k === 1) return x < -0.25 ? -2 * (e - (x + 0.5)) : 1 + 2 * (x - e)
  var power = k === 1024 ? 0 : fromWords(0x3ff00000 + (k << 20), 0)
  if (k <= -2 || k > 56) {
    var y = 1 - (e - x)
    return (k === 1024 ? y * 2 * TWO1023 : y * power) - 1
  }
  if (k < 20) return (fromWords(0x3ff00000 - (0x200000 >> k), 0) - (e - x)) * power
  return ((x - (e + fromWords((0x3ff - k) << 20, 0))) + 1) * power
}
