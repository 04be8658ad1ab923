// Hyperbolic functions, roots, and the Math object that contracts see.

function sinh (x) {
  var t
  var ax = abs(x)
  var h = x < 0 ? -0.5 : 0.5
  if (ax < 22) {
    if (ax < 3.725290298461914e-9) return x
    t = expm1(ax)
    return ax < 1 ? h * (2 * t - t * t / (t + 1)) : h * (t + t / (t + 1))
  }
  if (ax < 709.7822265625) return h * exp(ax)
  if (ax <= 710.4758600739439) {
    t = exp(0.5 * ax)
    return h * t * t
  }
  return x * Infinity
}

function cosh (x) {
  var ix = highWord(x) & 0x7fffffff
  var ax = abs(x)
  var t
  if (x !== x) return NaN
  if (ix < 0x3fd62e43) {
    t = expm1(ax)
    var w = 1 + t
    return ix < 0x3c800000 ? w : 1 + (t * t) / (w + w)
  }
  if (ix < 0x40360000) {
    t = exp(ax)
    return 0.5 * t + 0.5 / t
  }
  if (ix < 0x40862e42) return 0.5 * exp(ax)
  if (ax <= 710.4758600739439) {
    t = exp(0.5 * ax)
    return 0.5 * t * t
  }
  return Infinity
}

function tanh (x) {
  var ix = highWord(x) & 0x7fffffff
  if (x !== x) return NaN
  var z = 1
  if (ix < 0x40360000) {
    if (ix < 0x3e300000) return x
    var t = expm1(ix >= 0x3ff00000 ? 2 * abs(x) : -2 * abs(x))
    z = ix >= 0x3ff00000 ? 1 - 2 / (t + 2) : -t / (t + 2)
  }
  return x < 0 ? -z : z
}

function asinh (x) {
  var ix = highWord(x) & 0x7fffffff
  if (!isFinite(x) || ix < 0x3e300000) return x
  var t = abs(x)
  var w
  if (ix > 0x41b00000) w = log(t) + Math.LN2
  else if (ix > 0x40000000) w = log(2 * t + 1 / (sqrt(x * x + 1) + t))
  else w = log1p(t + x * x / (1 + sqrt(1 + x * x)))
  return x > 0 ? w : -w
}

function acosh (x) {
  if (!(x >= 1)) return NaN
  var hx = highWord(x)
  if (hx >= 0x41b00000) return x === Infinity ? x : log(x) + Math.LN2
  if (x === 1) return 0
  if (hx > 0x40000000) return log(2 * x - 1 / (x + sqrt(x * x - 1)))
  var t = x - 1
  return log1p(t + sqrt(2 * t + t * t))
}

function atanh (x) {
  var ix = highWord(x) & 0x7fffffff
  if (!(abs(x) <= 1)) return NaN
  if (abs(x) === 1) return x / 0
  if (ix < 0x3e300000) return x
  var ax = abs(x)
  var t = ax + ax
  t = ix < 0x3fe00000 ? 0.5 * log1p(t + t * ax / (1 - ax)) : 0.5 * log1p(t / (1 - ax))
  return x < 0 ? -t : t
}

function cbrt (x) {
  if (x === 0 || !isFinite(x)) return x
  var hx = highWord(x) & 0x7fffffff
  var sign = highWord(x) & 0x80000000
  var t
  if (hx < 0x00100000) {
    t = TWO54 * x
    t = fromWords(sign | (Math.floor((highWord(t) & 0x7fffffff) / 3) + 696219795), 0)
  } else {
    t = fromWords(sign | (Math.floor(hx / 3) + 715094163), 0)
  }
  var r = (t * t) * (t / x)
  t = t * ((1.87595182427177009643 + r * (-1.88497979543377169875 + r * 1.621429720105354466140)) +
    ((r * r) * r) * (-0.758397934778766047437 + r * 0.145996192886612446982))
  // Rounded away from zero to 23 bits.
  var low = (lowWord(t) >>> 0) + 0x80000000
  t = fromWords(highWord(t) + (low > 0xffffffff ? 1 : 0), low & 0xc0000000)
  r = (x / (t * t) - t) / (t + t + x / (t * t))
  return t + t * r
}

function hypot () {
  var max = 0
  var isNaNSeen = false
  for (var i = 0; i < arguments.length; i++) {
    var size = abs(Number(arguments[i]))
    if (size !== size) isNaNSeen = true
    else if (size > max) max = size
  }
  if (max === Infinity) return Infinity
  if (isNaNSeen) return NaN
  if (max === 0) return 0
  var sum = 0
  var compensation = 0
  for (i = 0; i < arguments.length; i++) {
    var n = abs(Number(arguments[i])) / max
    var summand = n * n - compensation
    var preliminary = sum + summand
    compensation = (preliminary - sum) - summand
    sum = preliminary
  }
  return sqrt(sum) * max
}

var single = new Float32Array(1)

function fround (x) {
  single[0] = x
  return single[0]
}

function unary (compute) {
  return function (x) { return compute(Number(x)) }
}

;['acos', 'asin', 'atan', 'atan2', 'cbrt', 'cos', 'exp', 'hypot', 'log', 'log2', 'log10', 'pow',
  'sin', 'tan', 'random'
].forEach(function (name) { delete Math[name] })
hidden(Math, {
  acos: unary(acos),
  acosh: unary(acosh),
  asin: unary(asin),
  asinh: unary(asinh),
  atan: unary(atan),
  atan2: function (y, x) { return atan2(Number(y), Number(x)) },
  atanh: unary(atanh),
  cbrt: unary(cbrt),
  cos: unary(cos),
  cosh: unary(cosh),
  exp: unary(exp),
  expm1: unary(expm1),
  fround: unary(fround),
  hypot: hypot,
  log: unary(log),
  log10: unary(log10),
  log1p: unary(log1p),
  log2: unary(log2),
  pow: pow,
  sin: unary(sin),
  sinh: unary(sinh),
  tan: unary(tan),
  tanh: unary(tanh)
})
defineProperty(Math, Symbol.toStringTag, { value: 'Math', configurable: true })
