// One-feature programs on texts, numbers, dates and JSON; see snippets.py.

//# string_methods
return ['abc'.padStart(5, 'xy'), 'abc'.padEnd(5), 'ab'.repeat(3), ' a '.trimStart(), ' a '.trimEnd(), 'abc'.at(-1), 'abc'.includes('b'), 'abc'.startsWith('b', 1), 'abc'.endsWith('b', 2)]
//# string_replace
return ['aXbX'.replace('X', '-'), 'aXbX'.replaceAll('X', '$&$&'), 'a.b.c'.replaceAll('.', '-'), 'abc'.replace(/b/, m => m.toUpperCase()), 'xx'.replaceAll('', '-'), 'aa'.replaceAll(/a/g, 'b')]
//# string_replace_patterns
return ['abc'.replace('b', "[$`|$&|$'|$$]"), 'abc'.replaceAll('b', "[$`|$&|$'|$$]"), 'John Smith'.replace(/(\w+)\s(\w+)/, '$2 $1')]
//# string_match
return ['a1b2'.match(/\d/g), 'a1b2'.match(/(\w)(\d)/).slice(), [...'a1b2'.matchAll(/[a-z](\d)/g)].map(m => [m[0], m[1], m.index]), 'abc'.search(/c/), 'x'.match(/y/)]
//# string_match_all_empty
return [...'ab'.matchAll(/x*/g)].map(m => m.index)
//# string_split
return ['a,b,c'.split(','), 'abc'.split(''), 'a1b'.split(/\d/), 'a1b'.split(/(\d)/), 'a,b,c'.split(',', 2), ''.split(''), ''.split(',')]
//# string_slices
return ['hello'.slice(-3, -1), 'hello'.substring(3, 1), 'hello'.substr(-3, 2), 'hello'.charAt(9), 'hello'[1]]
//# string_code_points
return ['😀'.codePointAt(0), String.fromCodePoint(128512), [...'a😀b'].length, '😀'.length, 'é'.charCodeAt(0)]
//# string_case
return ['ÄÖß'.toUpperCase(), 'ÀÉ'.toLowerCase(), 'abc' < 'abd', 'Z' < 'a']
//# string_trim
return ['\u00a0\ufeff a\n'.trim(), '\u2003x'.trimStart(), 'x\u3000'.trimEnd()]
//# string_well_formed
return ['a\ud800'.isWellFormed(), 'a\ud800b'.toWellFormed(), '😀'.isWellFormed()]
//# string_concat_numbers
return ['a' + 1, 1 + '2', '3' * '4', '5' - 2, +'', +' 7 ', +'x', 1 + null, 1 + undefined].map(String)
//# string_raw_index
return 'a-b_c'.split(/[-_]/).map((w, i) => i ? w[0].toUpperCase() + w.slice(1) : w).join('')
//# regex_basic
return [/a+/.exec('baaa')[0], /^\d{3}-\d{4}$/.test('555-1234'), /(a)|(b)/.exec('b').slice(), /x/i.test('X'), 'a\nb'.match(/^b$/m) !== null]
//# regex_last_index
const r = /a/g; const out = []; let m; while ((m = r.exec('aba'))) out.push(m.index); return [out, r.lastIndex]
//# regex_dot_all
return [/a.b/s.test('a\nb'), /a.b/.test('a\nb'), /[.]/s.test('x')]
//# regex_unicode
return [/^.$/u.test('😀'), /\u{1F600}/u.test('😀'), '😀x'.replace(/./gu, '-')]
//# regex_lookahead
return ['1234567'.replace(/\B(?=(\d{3})+(?!\d))/g, ','), /a(?!b)/.test('ab')]
//# regex_lazy
return '<a><b>'.match(/<.+?>/)[0]
//# regex_backreference
return [/(a)\1/.test('aa'), /(['"]).*?\1/.exec('say "hi"')[0]]
//# regex_classes
return ['a_1 ß-'.replace(/\W/g, '.'), 'a\tb c'.split(/\s/), /[^a-c]/.exec('abcd')[0], /[\]\-]/.test('-')]
//# regex_flags
return [/a/gim.flags, /a/.source, String(/a\/b/g), new RegExp('a/b').source]
//# regex_construct
return [new RegExp('a+', 'g').test('caa'), new RegExp(/x/g, 'i').flags, RegExp('\\d').test('5')]
//# regex_bad
try { return new RegExp('(') } catch (e) { return e.name }
//# number_statics
return [Number.isInteger(5.0), Number.isSafeInteger(2 ** 53), Number.EPSILON > 0, Number.parseFloat('1.5x'), Number.isNaN('x'), Number.MAX_SAFE_INTEGER]
//# number_format
return [(1.005).toFixed(2), (25).toString(36), (0.1 + 0.2).toString(), 1e21 + '', 1e-7 + '', (1234.5678).toFixed(1), (0.00001).toPrecision(1), (1e21).toFixed(2), (123.456).toExponential(1), (-1.5).toFixed(0)]
//# number_text
return [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, 123456789012345680000, 1e300, 100, 1e5, 0.000001].map(String)
//# number_parse
return [parseInt('12px'), parseInt('0x1f'), parseInt('z', 36), parseFloat('.5.'), Number('0b11'), Number('1_0'), Number(null), Number([5]), Number('1e3')].map(String)
//# number_bits
return [5 & 3, 5 | 3, 5 ^ 3, ~5, 1 << 31, -1 >>> 0, -9 >> 1, 2 ** 32 | 0]
//# number_modulo
return [-5 % 3, 5.5 % 2, 5 % 0, Object.is(-4 % 2, -0)].map(String)
//# number_big_loop
let s = 0; for (let i = 0; i < 1000; i++) s += i * 0.1; return s
//# math_exact
return [Math.trunc(-4.7), Math.sign(-3), Math.cbrt === undefined, Math.clz32(1), Math.imul(3, 4), Math.fround(5.5), Math.round(-0.5) === 0, Math.round(2.5), Math.sqrt(2), Math.abs(-1), Math.max(), Math.min(1, 2), Math.floor(-1.5), Math.ceil(1.2)].map(String).filter((x, i) => i !== 2)
//# json
return [JSON.stringify({ a: [1, { b: undefined, c: () => 1 }], d: new Date(0), e: NaN, f: 'é\n' }), JSON.stringify([undefined]), JSON.parse('{"a":[1,2]}', (k, v) => k === 'a' ? v.length : v)]
//# json_indent
return [JSON.stringify({ a: [1, 2], b: {} }, null, 2), JSON.stringify([1], null, '--'), JSON.stringify({ a: 1, b: 2 }, ['b'])]
//# json_to_json
return JSON.stringify({ toJSON () { return 5 } })
//# json_surrogates
return [JSON.stringify('\ud800'), JSON.stringify('😀\u2028')]
//# json_proto
const o = JSON.parse('{"__proto__": {"x": 1}}'); return [Object.keys(o), o.x === undefined]
//# json_bad
try { JSON.parse('{a:1}') } catch (e) { return e.name }
//# json_cycle
const a = []; a.push(a); try { JSON.stringify(a) } catch (e) { return e.name }
//# json_replacer
return JSON.stringify({ a: 1, b: 'x' }, (k, v) => typeof v === 'number' ? v + 1 : v)
//# date_parts
const d = new Date(2020, 1, 29, 12, 30, 15, 123); return [d.toISOString(), d.getDay(), d.getTimezoneOffset(), d.getTime(), d.getFullYear(), Date.UTC(2020, 0), JSON.stringify(d)]
//# date_texts
const d = new Date(1e12); return [String(d), d.toDateString(), d.toTimeString(), d.toUTCString(), String(new Date(NaN)), new Date(0) - 0, `${new Date(-1e14)}`]
//# date_parse
return ['2020-01-01', '2020-01-01T10:00', '2020-01-01T10:00:00.123Z', '2020-01-01T10:00:00+02:00', '2020-02-30', '2020-13-01', 'nonsense', '2020', '2020-06', '2020-01-01T24:00:00Z', 'Wed, 01 Jan 2020 00:00:00 GMT', '+012020-01-01'].map(t => String(new Date(t).getTime()))
//# date_set
const d = new Date(0); d.setMonth(13); d.setDate(0); d.setHours(25); return d.toISOString()
//# date_invalid
try { new Date(NaN).toISOString() } catch (e) { return e.name }
//# date_compare
return [new Date(1) < new Date(2), +new Date(5), new Date(new Date(7)).getTime(), typeof Date.now(), new Date('2020-01-01') instanceof Date]
//# uri
return [encodeURIComponent('é &😀'), decodeURIComponent('%F0%9F%98%80'), encodeURI('a b?é'), escape('ü'), unescape('%FC')]
//# text_encoder
return [...new TextEncoder().encode('aé😀')]
//# math_zero_signs
const sign = x => Object.is(x, -0) ? '-0' : String(x); return [Math.atan2(-0, -0), Math.atan2(-0, 0), Math.atan2(0, -0), Math.sin(-0), Math.tan(-0), Math.asin(-0), Math.atan(-0), Math.sinh(-0), Math.tanh(-0), Math.cbrt(-0), Math.expm1(-0), Math.log1p(-0), Math.round(-0.2), Math.ceil(-0.5), Math.trunc(-0.5), Math.max(-0, 0), Math.min(0, -0), Math.sqrt(-0), (-0) ** 3, (-0) ** -3, (-0) ** 2, Math.pow(-0, -2), Math.hypot(-0), Math.fround(-0), Math.sign(-0), Math.abs(-0)].map(sign)
//# math_arguments
return [Math.max(1, '3', null), Math.hypot(3, 4, 12), Math.hypot(), Math.hypot(NaN, Infinity), Math.pow('2', '3'), Math.atan2('1', 1), Math.exp(), Math.log('x'), 2 ** '3', Math.sqrt('16')].map(String)
//# number_bases
const out = []; for (const x of [1e21, 2 ** 60, 0.1, 1 / 3, 123.456, -255.5, 5e-324, 1e300, 2 ** 53, 0.5, 35.999999999999996]) for (const b of [2, 3, 7, 16, 36]) out.push(x.toString(b)); return [out, NaN.toString(2), (255).toString('16'), (-0).toString(2), [1, 37].map(b => { try { return (1).toString(b) } catch (e) { return e.name } })]
//# number_digits
const out = []; for (const x of [5e-324, 1e-322, 1.5e-310, 1e-21, 0.1, 1 / 3, 2.5, 123.456, 1e21, 1.7976931348623157e308, -0.00015, 0, -0]) for (const n of [1, 3, 17, 21, 22, 60, 100]) out.push(x.toPrecision(n), x.toExponential(n - 1), x.toFixed(n - 1)); return out
//# number_digits_bounds
return [-1, 0, 100, 101, NaN, Infinity, '3', undefined].map(n => ['toFixed', 'toPrecision', 'toExponential'].map(m => [1.5, NaN, Infinity].map(x => { try { return x[m](n) } catch (e) { return e.name } })))
//# number_signed_bases
return ['-0x1', '+0x1', ' -0b1', '-0o7', '0x1f', '-5', '+1e3', ' 12 '].map(s => [Number(s), +s, isNaN(s), isFinite(s), Number.isNaN(+s), parseInt(s)].map(String))
//# number_constructor
const n = new Number('7'); return [typeof n, n + 1, n instanceof Number, Number() + Number(null) + Number([5]), Number.name, Number.length, n.constructor === Number, [1, '2', '3'].map(Number), ['1', '0x1'].map(x => typeof+x), +new Date(5), +{ valueOf: () => 4 }, +[], +true, (() => { try { return +Symbol() } catch (e) { return e.name } })()]
//# string_needles
const t = 'abcabcab'.repeat(50); const n = 'cab'.repeat(20); return [t.indexOf('ca', 3), t.indexOf(''), t.lastIndexOf('abc'), t.lastIndexOf('abc', 7), t.includes('cabcabab', 9), t.split('bca').length, t.split('bca', 2), t.split('', 3), 'a1b1'.split(1), t.startsWith('bca', 1), t.endsWith('b'), t.endsWith('a', 7), t.replace('cab', '[$&$$]').slice(0, 12), t.replace('zz', 1) === t, t.replaceAll('cabcab', x => x.length).length, t.indexOf(n), 'x'.indexOf('', 5), 'aXbX'.split('X', -1), 'undefined'.indexOf()]
//# string_replace_dollars
return ['abcab'.replace(/b/g, "[$`|$'|$&|$1]"), 'abcab'.replace(/(b)(c)?/g, '<$2$1$3>'), 'abc'.replace('b', "$`$'"), 'abcb'.replaceAll('b', '$$$&'), 'aa'.replace(/a/, '$'), 'aa'.replace(/a/g, '$0')]
//# large_exponents
return [1e123456789, .5e-123456789, 5e-0000123456789, 0x1e123456789, Number('0x1e123456789'), Number(' 1e123456789'), Number('-2.5E-123456789'), +'1e123456789x', parseFloat('.5e123456789a'), isFinite('1e123456789')].map(String)
//# large_exponents_in_json
const a = JSON.parse('[1e123456789, "1e123456789", "\\"1e123456789", -2E-123456789]'); return [a.map(String), a[3] === 0]
