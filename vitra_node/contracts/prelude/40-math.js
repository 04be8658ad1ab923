// The results of libm depend on the processor; only what the standard fixes to the bit stays.
;['acos', 'asin', 'atan', 'atan2', 'cbrt', 'cos', 'exp', 'hypot', 'log', 'log2', 'log10', 'pow',
  'sin', 'tan', 'random'
].forEach(function (name) { delete Math[name] })
defineProperty(Math, Symbol.toStringTag, { value: 'Math', configurable: true })
