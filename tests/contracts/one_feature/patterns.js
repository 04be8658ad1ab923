// One-feature programs with regular expressions beyond ES5; see snippets.py.

//# group_names
const m = /(?<y>\d{4})-(?<m>\d\d)(?<z>z)?/.exec('on 2022-07'); return [m.groups.y, m.groups.m, 'z' in m.groups, m.groups.z === undefined, Object.getPrototypeOf(m.groups) === null, Object.keys(m), m.index]
//# group_names_replace
return ['2022-07'.replace(/(?<y>\d+)-(?<m>\d+)/, '$<m>/$<y>/$<no>/$2$1$&$$'), 'ab'.replace(/(?<x>.)/g, (all, x, at, text, groups) => groups.x + at), 'a'.replace(/(a)/, '$<x>$1'), 'aa'.replace(/(?<x>a)/g, '$01$10$00')]
//# group_names_reference
return [/(?<q>['"]).*?\k<q>1/.exec(`x"a'"1`)[0], /\k<a>(?<a>x)/.test('x'), /(?<a>.)\k<a>/u.exec('a😀😀')?.[0], /(?<$>a)(?<_b1>b)/.exec('ab').groups.$]
//# group_names_all
return [...'a1b2'.matchAll(/(?<l>[a-z])(?<d>\d)/g)].map(m => [m.groups.l, m.groups.d, m.index])
//# group_names_methods
const r = /(?<a>b+)/g; return ['abbcb'.match(r), 'abb'.search(r), 'xbybbz'.split(/(?<s>b+)/), r.test('ab'), r.lastIndex, 'ab'.match(/(?<a>b)/).groups.a, String(r), 'ab'.match(/b/).groups === undefined]
//# group_names_constructed
const r = new RegExp('(?<w>\\w+)/\\k<w>', 'g'); return [r.exec('a/a').groups.w, r.source, r.flags, new RegExp(r).exec('b/b').groups.w, new RegExp(r, 'i').exec('B/b').groups.w, RegExp('\\k<a>').test('k<a>')]
//# group_names_bad
const f = s => { try { return new RegExp(s).source } catch (e) { return e.name } }; return ['(?<a>x)(?<a>y)', '(?<1>x)', '(?<a>x)\\k<b>', '(?<a>x)\\k', '(?<a', '[(?<a>]'].map(f)
//# sticky
const r = /a(b)?/y; const out = []; for (let i = 0; i < 4; i++) out.push(r.exec('aabxa')?.slice() ?? null, r.lastIndex); return [out, r.sticky, r.global, r.flags, r.source, String(r)]
//# sticky_methods
const r = /a/y; r.lastIndex = 1; return ['ba'.replace(r, 'x'), r.lastIndex, 'ba'.replace(r, 'x'), 'aaba'.replace(/a/gy, 'x'), 'aaba'.match(/a/gy), 'ba'.search(/a/y), 'xay'.split(/a/y), 'aab'.match(/a/y)?.index, r.test('a'), r.lastIndex, r.test('a')]
//# sticky_all
return [...'a1a2b3a4'.matchAll(/a(\d)/gy)].map(m => [m[1], m.index, m.length])
//# sticky_tokenizer
const r = /\s*(?:(?<n>\d+)|(?<o>[-+*/]))/y; const text = ' 12 + 3*4'; const out = []; while (r.lastIndex < text.length) { const m = r.exec(text); if (m === null) break; out.push(m.groups.n === undefined ? m.groups.o : Number(m.groups.n)) } return out
//# sticky_last_index
const r = /a/y; r.lastIndex = 9; const first = r.test('a'); return [first, r.lastIndex, new RegExp('a', 'gy').flags, new RegExp('b', 'ys').test('b'), new RegExp('a.', 's').test('a\n'), new RegExp('/\n').source]
//# regex_flag_names
return [/a/s.flags, /a/s.dotAll, /a./su.source, /a/u.unicode, /a/u.flags, /a/gimsuy.flags, /a/.dotAll, /a/.hasIndices, new RegExp(/a./s).flags, String(/[/]\/./s), new RegExp(/\u{61}/u).test('a')]
//# regex_unicode_empty
return ['😀a'.replace(/(?:)/gu, '-'), '😀a'.match(/(?:)/gu).length, [...'😀a'.matchAll(/(?:)/gu)].map(m => m.index), '😀a😀'.split(/(?:)/u), '😀a'.split(/(a)/u), ''.split(/(?:)/u), ''.split(/a/u), 'a,b,c'.split(/,/u, 2)]
//# regex_dot_all_methods
return ['a\nb'.replace(/a.b/s, '$&!'), 'a\nb\n'.match(/./gs).length, 'a\nb'.split(/./s).length, 'x\n'.search(/\n./s), 'a\nb'.replaceAll(/./gs, c => c.length)]
