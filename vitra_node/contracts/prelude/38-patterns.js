// Regular expressions beyond ES5: named groups, and the flags s, u and y. The compiler lowers those
// of the source (front_pass/regex.py), those made at run time are read here. What the engine's own
// object cannot tell stands beside it.

var NativeRegExp = RegExp
var PATTERN = Symbol('pattern')
INTERNAL_SYMBOLS.push(PATTERN)

var nativeFlag = {}
;['global', 'ignoreCase', 'multiline', 'source', 'flags'].forEach(function (name) {
  nativeFlag[name] = Object.getOwnPropertyDescriptor(NativeRegExp.prototype, name).get
})

function patternOf (regex) {
  return hasOwn.call(regex, PATTERN) ? regex[PATTERN] : undefined
}

// `names` is a list of name, number, name, number.
function literalPattern (plain, source, flags, names) {
  charge(KNOWN_PATTERN_FUEL)
  var sticky = flags.indexOf('y') !== -1
  // A search that fails where it begins finds the empty group there, and goes no further.
  var regex = sticky
    ? new NativeRegExp('(?:' + nativeFlag.source.call(plain) + ')|()', searchFlags(plain))
    : plain
  defineProperty(regex, PATTERN, {
    value: {
      plain: plain, source: source, flags: inOrder(flags), names: names, sticky: sticky,
      global: flags.indexOf('g') !== -1, unicode: flags.indexOf('u') !== -1
    }
  })
  return regex
}

function searchFlags (plain) {
  return 'g' + (nativeFlag.ignoreCase.call(plain) ? 'i' : '') + (nativeFlag.multiline.call(plain) ? 'm' : '')
}

function inOrder (flags) {
  return ['d', 'g', 'i', 'm', 's', 'u', 'v', 'y'].filter(function (flag) { return flags.indexOf(flag) !== -1 }).join('')
}

function copyPattern (regex) {
  var known = patternOf(regex)
  var copy = copyPlain(known === undefined ? regex : known.plain)
  return known === undefined ? copy : literalPattern(copy, known.source, known.flags, known.names)
}

// The engine's own part alone, with nothing beside it.
function copyPlain (plain) {
  var source = nativeFlag.source.call(plain)
  charge(PATTERN_FUEL + source.length)
  return new NativeRegExp(source, nativeFlag.flags.call(plain))
}

// What RegExp.prototype.exec gives, of text that is paid for.
function execPattern (regex, text) {
  var match = nativeExec.call(regex, text)
  if (match === null) return null
  var known = patternOf(regex)
  if (known !== undefined && known.sticky) {
    if (match[match.length - 1] !== undefined) {
      regex.lastIndex = 0
      return null
    }
    match.length--
  }
  match.groups = known === undefined || known.names.length === 0 ? undefined : groupsOf(match, known.names)
  return match
}

function groupsOf (match, names) {
  var groups = Object.create(null)
  for (var i = 0; i < names.length; i += 2) groups[names[i]] = match[names[i + 1]]
  return groups
}

// After an empty match: the next one begins a character further.
function stepOver (regex, text) {
  var known = patternOf(regex)
  var at = toLength(regex.lastIndex)
  regex.lastIndex = at + (known !== undefined && known.unicode && isPair(text, at) ? 2 : 1)
}

function allMatches (regex, text) {
  var found = []
  regex.lastIndex = 0
  for (var match = execPattern(regex, text); match !== null; match = execPattern(regex, text)) {
    charge(ENTRY_FUEL + match[0].length / CHARACTERS_PER_FUEL)
    found.push(match)
    if (match[0] === '') stepOver(regex, text)
  }
  return found
}

// The methods of texts, for patterns that the engine alone would get wrong.
var ofPattern = {
  match: function (text, regex) {
    var found = allMatches(regex, text).map(function (match) { return match[0] })
    return found.length === 0 ? null : found
  },

  search: function (text, regex) {
    var before = regex.lastIndex
    regex.lastIndex = 0
    var match = execPattern(regex, text)
    regex.lastIndex = before
    return match === null ? -1 : match.index
  },

  replace: function (text, regex, replacement) {
    if (typeof replacement !== 'function') replacement = String(replacement)
    var matches = allOrOne(regex, text)
    var out = ''
    var at = 0
    for (var i = 0; i < matches.length; i++) {
      tick()
      var match = matches[i]
      var by = typeof replacement === 'function'
        ? String(replacement.apply(undefined, replacerArguments(match, text)))
        : substitute(replacement, match, text)
      charge(by.length / CHARACTERS_PER_FUEL)
      if (match.index < at) continue
      out += text.slice(at, match.index) + by
      at = match.index + match[0].length
    }
    return out + text.slice(at)
  },

  split: function (text, regex, limit) {
    var known = patternOf(regex)
    // The engine makes its own pattern of the source that it is told.
    if (!known.unicode) return nativeSplit.call(text, copyPlain(known.plain), limit)
    limit = limit === undefined ? 4294967295 : limit >>> 0
    return limit === 0 ? [] : splitByPoints(text, copyPattern(regex), limit)
  }
}

function allOrOne (regex, text) {
  if (regex.global) return allMatches(regex, text)
  var match = execPattern(regex, text)
  return match === null ? [] : [match]
}

function replacerArguments (match, text) {
  var given = nativeSlice.call(match)
  given.push(match.index, text)
  if (match.groups !== undefined) given.push(match.groups)
  return given
}

var WITHOUT_NAMES = /\$(?:([$&`'])|(\d\d?))/g
var WITH_NAMES = /\$(?:([$&`'])|(\d\d?)|<([^>]*)>)/g

function substitute (template, match, text) {
  var pattern = match.groups === undefined ? WITHOUT_NAMES : WITH_NAMES
  return nativeReplace.call(template, pattern, function (all, kind, digits, name) {
    if (kind !== undefined) return expandReplacement(all, match[0], match.index, text)
    if (digits !== undefined) return numbered(all, digits, match)
    var value = match.groups[name]
    return value === undefined ? '' : value
  })
}

// Two digits name a group when there is one, else the first alone.
function numbered (all, digits, match) {
  for (var length = digits.length; length > 0; length--) {
    var number = Number(digits.slice(0, length))
    if (number > 0 && number < match.length) {
      return (match[number] === undefined ? '' : match[number]) + digits.slice(length)
    }
  }
  return all
}

function splitByPoints (text, search, limit) {
  var known = patternOf(search)
  search = literalPattern(
    new NativeRegExp(nativeFlag.source.call(known.plain), searchFlags(known.plain)), '', 'gu', [])
  if (text === '') return execPattern(search, text) === null ? [text] : []
  var out = []
  var start = 0
  search.lastIndex = 0
  while (search.lastIndex < text.length) {
    charge(ENTRY_FUEL)
    var match = execPattern(search, text)
    if (match === null || match.index >= text.length) break
    var end = match.index + match[0].length
    if (end === start) {
      stepOver(search, text)
      continue
    }
    out.push(text.slice(start, match.index))
    if (out.length === limit) return out
    for (var i = 1; i < match.length; i++) {
      out.push(match[i])
      if (out.length === limit) return out
    }
    start = end
    if (match[0] === '') search.lastIndex = end
  }
  out.push(text.slice(start))
  return out
}

// A reference by name, an escape, a class, the opening of a group, or a dot.
var TOKENS = /\\k<([^>]*)>|\\[^]|\[(?:\\[^]|[^\]\\])*\]|\((\?(?:<(?![=!])([^>]*)>|<?[^]))?|\./g

function invalid (why) {
  throw new SyntaxError('Invalid regular expression: ' + why)
}

function namesOf (source) {
  var names = []
  var groups = 0
  nativeReplace.call(source, TOKENS, function (all, reference, kind, name) {
    if (all.charAt(0) !== '(') return
    if (kind === '?<=' || kind === '?<!') invalid('lookbehind is not available in contracts')
    if (kind === undefined || name !== undefined) groups++
    if (name === undefined) return
    if (!nativeTest.call(/^[A-Za-z_$][\w$]*$/, name)) invalid('Invalid capture group name')
    if (names.indexOf(name) !== -1) invalid('Duplicate capture group name')
    names.push(name, groups)
  })
  return names
}

// The engine's pattern for one made at run time.
function lowerPattern (source, names, isDotAll) {
  return nativeReplace.call(source, TOKENS, function (all, reference, kind, name) {
    if (all === '.') return isDotAll ? '[^]' : all
    if (name !== undefined) return '('
    if (reference === undefined) {
      if (all === '\\k' && names.length > 0) invalid('Invalid named reference')
      return all
    }
    if (names.length === 0) return all
    var at = names.indexOf(reference)
    if (at === -1) invalid('Invalid named capture referenced')
    return '(?:\\' + names[at + 1] + ')'
  })
}

function makePattern (source, flags) {
  charge(PATTERN_FUEL + source.length)
  if (nativeTest.call(/[uvd]/, flags)) invalid('the flag ' + flags + ' is not available for patterns made at run time')
  var names = nativeTest.call(/\(\?<|\\k/, source) ? namesOf(source) : []
  var isNew = names.length > 0 || nativeTest.call(/[sy]/, flags)
  if (nativeTest.call(/([sy]).*\1/, flags)) {
    throw new SyntaxError('Invalid flags supplied to RegExp constructor ' + describe(flags))
  }
  var lowered = isNew ? lowerPattern(source, names, flags.indexOf('s') !== -1) : source
  var plain = new NativeRegExp(translatePattern(lowered), nativeReplace.call(flags, /[sy]/g, ''))
  return isNew ? literalPattern(plain, asLiteral(source), flags, names) : plain
}

// As it would be written between slashes.
function asLiteral (source) {
  return nativeReplace.call(source, /\\[^]|\[(?:\\[^]|[^\]\\])*\]|[/\n\r]/g, function (all) {
    return all === '/' ? '\\/' : all === '\n' ? '\\n' : all === '\r' ? '\\r' : all
  }) || '(?:)'
}

function RegExpConstructor (pattern, flags) {
  if (isRegExp(pattern)) {
    if (flags === undefined) return this instanceof RegExpConstructor ? copyPattern(pattern) : pattern
    return makePattern(pattern.source, String(flags))
  }
  return makePattern(pattern === undefined ? '' : String(pattern), flags === undefined ? '' : String(flags))
}
defineProperty(RegExpConstructor, 'name', { value: 'RegExp' })
defineProperty(RegExpConstructor, 'length', { value: 2 })
defineProperty(RegExpConstructor, 'prototype', { value: NativeRegExp.prototype, writable: false })
hidden(NativeRegExp.prototype, { constructor: RegExpConstructor })
hidden(GLOBAL, { RegExp: RegExpConstructor })

// Escapes of halves; the private-use characters that stand for them match nothing else.
function translatePattern (pattern) {
  return nativeReplace.call(pattern, UNIT_ESCAPE, function (found, escape) {
    var unit = escape.length === 5 ? parseInt(escape.slice(1), 16) : 0
    if (unit >= 0xd800 && unit <= 0xdfff) return '\\u' + (unit + HALF_SHIFT).toString(16)
    return unit >= 0xe000 && unit <= 0xe7ff ? '\\ue800' : found
  })
}

// A regular expression costs what it looks at; one that runs wild is stopped by the wall clock.
hidden(RegExp.prototype, {
  exec: function exec (text) {
    text = String(text)
    chargeText(text)
    return execPattern(this, text)
  },
  test: function test (text) {
    text = String(text)
    chargeText(text)
    if (!isObject(this) || patternOf(this) === undefined) return nativeTest.call(this, text)
    return execPattern(this, text) !== null
  }
})

function told (name, flag) {
  getter(RegExp.prototype, name, function () {
    var known = isObject(this) ? patternOf(this) : undefined
    if (known !== undefined) return flag === undefined ? known[name] : known.flags.indexOf(flag) !== -1
    if (!(name in nativeFlag)) return false
    var value = nativeFlag[name].call(this)
    return name === 'source' ? nativeReplace.call(value, /\n/g, '\\n') : value
  })
}
told('source')
told('flags')
told('global', 'g')
told('dotAll', 's')
told('unicode', 'u')
told('sticky', 'y')
told('hasIndices', 'd')
