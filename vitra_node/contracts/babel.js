// The second stage: Babel 6 lowers what the first stage leaves to ECMAScript 5. Runs in a process
// of its own, after Babel itself; `dukpy.code` is the program.
(function () {
  // Plugins run in this order.
  var plugins = [
    'external-helpers',
    ['transform-class-properties', { spec: true }],
    'check-es2015-constants',
    'transform-es2015-arrow-functions',
    'transform-es2015-block-scoped-functions',
    'transform-es2015-classes',
    'transform-es2015-object-super',
    'transform-es2015-shorthand-properties',
    'transform-es2015-duplicate-keys',
    'transform-es2015-computed-properties',
    'transform-es2015-for-of',
    'transform-es2015-sticky-regex',
    'transform-es2015-unicode-regex',
    'transform-es2015-spread',
    'transform-es2015-parameters',
    'transform-es2015-destructuring',
    'transform-object-rest-spread',
    'transform-es2015-block-scoping',
    'transform-es2015-template-literals',
    'transform-es2015-literals',
    'transform-es2015-function-name',
    'transform-exponentiation-operator',
    'syntax-trailing-function-commas',
    ['transform-es2015-modules-commonjs', { strict: true, noInterop: true }]
  ]
  if (dukpy.code.indexOf('__vitra_q') !== -1) plugins.push(leaveOutSteps)
  // Class fields named __vitra_q are steps at their place among the fields, without a property.
  function leaveOutSteps () {
    function visit (call) {
      var given = call.node.arguments
      if (given.length !== 3 || given[1].type !== 'StringLiteral' || given[1].value !== '__vitra_q') return
      var value = given[2].properties[given[2].properties.length - 1].value
      if (value.callee && value.callee.object && value.callee.object.name === '__vitra_p') call.replaceWith(value)
    }
    return { visitor: { Program: { exit: function (path) { path.traverse({ CallExpression: visit }) } } } }
  }
  var code
  var mappings
  try {
    // One statement a line, so that the lines which the engine tells mean something.
    var result = Babel.transform(dukpy.code, {
      babelrc: false, ast: false, compact: false, comments: false, highlightCode: false,
      sourceMaps: true, sourceType: 'module', plugins: plugins
    })
    code = result.code
    mappings = result.map.mappings
  } catch (error) {
    return { error: String(error.message), line: error.loc && error.loc.line, column: error.loc && error.loc.column }
  }
  // What Duktape cannot parse is found now, not when the contract runs. A constructor only parses.
  try {
    Function(code)
  } catch (error) {
    var line = /\(line (\d+)/.exec(error.message)
    return { error: error.message.replace(/ \(line \d+\)/, ''), compiledLine: line ? +line[1] : 1, mappings: mappings }
  }
  return { code: code, mappings: mappings }
})()
