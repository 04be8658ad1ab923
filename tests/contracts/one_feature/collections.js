// One-feature programs on objects, arrays and collections; see snippets.py.

//# iterator_custom
const o = { * [Symbol.iterator] () { yield 1; yield 2 } }; return [...o, Math.max(...o)]
//# map
const m = new Map([['a', 1]]); m.set(NaN, 2).set(0, 3); return [m.get('a'), m.get(NaN), m.get(-0), m.size, [...m], m.delete('a'), m.has('a'), m.get('x') === undefined]
//# map_object_keys
const a = {}, b = Object.freeze({}); const m = new Map([[a, 1], [b, 2], [Symbol.iterator, 3]]); return [m.get(a), m.get(b), m.get({}) === undefined, m.get(Symbol.iterator), Object.getOwnPropertySymbols(a).length]
//# map_iteration_mutation
const m = new Map([[1, 1], [2, 2], [3, 3]]); const seen = []; for (const [k] of m) { seen.push(k); if (k === 1) { m.delete(2); m.set(4, 4) } } return seen
//# map_readd
const m = new Map([[1, 'a'], [2, 'b']]); m.delete(1); m.set(1, 'c'); return [...m.keys()]
//# map_foreach
const out = []; new Map([[1, 2]]).forEach(function (v, k, m) { out.push(v, k, m.size, this.x) }, { x: 5 }); return out
//# map_clear_iteration
const m = new Map([[1, 1]]); const seen = []; m.forEach((v, k) => { seen.push(k); if (k < 3) { m.clear(); m.set(k + 1, 1) } }); return seen
//# map_not_new
try { Map() } catch (e) { return e.name }
//# map_bad_entry
try { return new Map([1]) } catch (e) { return e.name }
//# map_entries
const m = new Map(Object.entries({ a: 1 })); return [Object.fromEntries(m), [...m.entries()], [...m.values()]]
//# map_same_strings
const m = new Map(); m.set('1', 'text').set(1, 'number').set('true', 's').set(true, 'b').set('undefined', 'u').set(undefined, 'v').set('null', 'x').set(null, 'y').set('__proto__', 'p'); return [...m]
//# set
const s = new Set([1, 1, '1', NaN, NaN, 0, -0]); return [s.size, [...s].map(String), s.has('1'), s.delete(1), [...s.entries()].length, Object.is([...new Set([-0])][0], 0)]
//# set_order
const s = new Set('hello'); return [...s].join('')
//# weakmap
const w = new WeakMap(); const k = {}; w.set(k, 1); return [w.get(k), w.has({}), w.delete(k), w.has(k)]
//# weakmap_key
try { new WeakMap().set(1, 2) } catch (e) { return e.name }
//# weakset
const k = {}; const w = new WeakSet([k]); return [w.has(k), w.has({})]
//# symbol
const s = Symbol('d'); const o = { [s]: 1, a: 2 }; return [typeof s, s.description, o[s], Object.keys(o), JSON.stringify(o), s.toString(), Symbol.for('x') === Symbol.for('x')]
//# symbol_to_primitive
const o = { [Symbol.toPrimitive]: h => h === 'number' ? 5 : 'text' }; return [+o, `${o}`]
//# symbol_tag
class A { get [Symbol.toStringTag] () { return 'Q' } } return Object.prototype.toString.call(new A())
//# symbol_has_instance
const E = { [Symbol.hasInstance]: x => x === 2 }; return [2 instanceof E, 3 instanceof E]
//# iterator_protocol
const i = [1, 2][Symbol.iterator](); return [i.next(), i.next(), i.next(), i[Symbol.iterator]() === i]
//# array_entries
return [[...['a', 'b'].entries()], [...['a'].keys()], [...[5].values()]]
//# array_methods
const a = [3, 1, 2]; return [a.includes(1), a.find(x => x > 1), a.findIndex(x => x === 2), a.at(-1), a.findLast(x => x > 1), a.findLastIndex(x => x > 5), [NaN].includes(NaN), [NaN].indexOf(NaN)]
//# array_fill
return [new Array(3).fill(0), [1, 2, 3, 4].fill(9, 1, -1), [1, 2, 3, 4, 5].copyWithin(0, 3)]
//# array_flat
return [[1, [2, [3, [4]]]].flat(), [1, [2, [3]]].flat(Infinity), [1, 2].flatMap(x => [x, [x]])]
//# array_from
return [Array.from('ab'), Array.from({ length: 2 }, (_, i) => i), Array.from(new Set([1])), Array.of(7).length, Array.from([1, 2], function (x) { return x + this.n }, { n: 1 })]
//# array_sort_stable
const a = Array.from({ length: 50 }, (_, i) => ({ k: i % 3, i })); a.sort((x, y) => x.k - y.k); return a.map(x => x.i)
//# array_sort_default
return [[10, 9, 1, undefined, 'b', null].sort(), ['é', 'z', 'a', 'Z'].sort(), [3, , 1].sort().length]
//# array_sort_units
return ['\uffff', '😀', 'a'].sort()
//# array_sort_bad
try { [1].sort(5) } catch (e) { return e.name }
//# array_copying
const a = [3, 1, 2]; return [a.toSorted(), a.toReversed(), a.with(0, 9), a.toSpliced(1, 1), a]
//# array_splice
const a = [1, 2, 3, 4]; const r = a.splice(1, 2, 'x'); return [a, r, a.slice(-2), a.concat([5], 6), a.indexOf('x')]
//# array_reduce
return [[1, 2, 3].reduce((a, b) => a + b), [1, 2].reduceRight((a, b) => a + '-' + b), [].reduce((a, b) => a, 7)]
//# array_reduce_empty
try { [].reduce((a, b) => a) } catch (e) { return e.name }
//# array_holes
const a = [1, , 3]; return [a.length, 1 in a, a.map(x => x * 2).length, a.forEach.length, Object.keys(a), a.join('-')]
//# array_length
const a = [1, 2, 3]; a.length = 1; a[3] = 4; return [a.length, a]
//# array_negative_length
try { return new Array(-1) } catch (e) { return e.name }
//# array_index_of_from
return [[1, 2, 1].indexOf(1, 1), [1, 2, 1].lastIndexOf(1, 1), [1, 2].includes(1, 1)]
//# array_tostring
return [String([1, [2, 3]]), [1, 2] + '', [null, undefined].join()]
//# object_statics
const o = { b: 1, a: 2 }; return [Object.entries(o), Object.values(o), Object.fromEntries([['x', 1]]), Object.hasOwn(o, 'a'), Object.is(NaN, NaN), Object.is(0, -0)]
//# object_assign
return [Object.assign({ a: 1 }, { b: 2 }, null, 'xy'), Object.assign([1, 2], [3])]
//# object_key_order
const o = { b: 1, 2: 1, a: 1, 1: 1, '-1': 1, '01': 1 }; return [Object.keys(o), JSON.stringify(o)]
//# object_for_in_order
const out = []; for (const k in { z: 1, 1: 1, a: 1, 0: 1 }) out.push(k); return out
//# object_for_in_inherited
const out = []; const o = Object.create({ p: 1, q: 2 }); o.q = 3; o.r = 4; for (const k in o) out.push(k); return out
//# object_freeze
const o = Object.freeze({ a: 1 }); try { o.a = 2 } catch (e) { return [e.name, Object.isFrozen(o), o.a] }
//# object_define
const o = {}; Object.defineProperty(o, 'h', { value: 1 }); return [o.h, Object.keys(o), Object.getOwnPropertyDescriptor(o, 'h')]
//# object_descriptors
return Object.getOwnPropertyDescriptors({ a: 1, get b () { return 1 } }).a
//# object_proto
const o = { __proto__: { x: 1 } }; return [o.x, Object.keys(o), Object.getPrototypeOf(o).x, Object.create(null) instanceof Object]
//# object_proto_set
const o = {}; o.__proto__ = { y: 2 }; return [o.y, Object.keys(o)]
//# object_shadowing
const c = {}; for (const w of ['toString', 'constructor', 'x', 'toString']) c[w] = (typeof c[w] === 'number' ? c[w] : 0) + 1; return c
//# object_tostring
return [String({}), Object.prototype.toString.call([]), Object.prototype.toString.call(null), Object.prototype.toString.call(new Map()), Object.prototype.toString.call(() => {})]
//# object_group
return typeof Object.groupBy
//# typed_arrays
const u = new Uint8Array([1, 300, 3]); return [[...u], u.length, [...u.slice(1)], [...u.subarray(1)], u.join('-'), [...u.map(x => x * 2)], [...new Uint16Array(u.buffer.slice(0, 2))], u.indexOf(3), [...Uint8Array.from([5])], u instanceof Uint8Array]
//# typed_array_iterate
let s = 0; for (const b of new Uint8Array([1, 2])) s += b; return [s, [...new Uint8Array([5, 6]).entries()]]
//# typed_array_set
const u = new Uint8Array(4); u.set([1, 2], 1); u.fill(9, 3); u[9] = 1; return [[...u], u[9] === undefined, u.reverse().join()]
//# typed_array_sort
return [[...new Float64Array([3, -1, 2.5]).sort()], new Int16Array([1, 2]).reduce((a, b) => a + b)]
//# data_view
const v = new DataView(new ArrayBuffer(8)); v.setUint16(0, 258); v.setFloat32(4, 1.5, true); return [v.getUint8(0), v.getUint8(1), v.getUint32(4, true)]
//# apply_array_like
return Math.max.apply(null, { length: 2, 0: 3, 1: 9 })
//# numeric_keys
const o = {}; o[1.5] = 'a'; o[-0] = 'b'; o[1e21] = 'c'; return o
//# delete_array
const a = [1, 2]; delete a[0]; return [a.length, 0 in a]
//# in_operator_array
return [0 in [1], 'length' in [], 2 in [1]]
//# holes_rest
const l = [1, , 3, , 5]; const [a, ...r] = l; let s; [, ...s] = l; return [0 in r, 2 in r, 0 in s, r.length]
//# holes_spread
const l = [1, , 3]; const s = [...l]; return [1 in s, 1 in [...[1, , 3]], Math.max(...l), (x => x.length)([...l, ...l])]
//# join_cycle
const l = [1]; l.push(l, [l, 2]); const o = { toString () { return l.join('-') } }; return [String(l), l.join(':'), [o, l] + '']
//# index_of_holes
const l = [, undefined]; return [l.indexOf(undefined), l.includes(undefined), l.findIndex(x => x === undefined)]
//# find_changed
const a = [1, 2]; return [a.find(x => a.unshift(7)), a.findLast(x => a.unshift(8)), a]
