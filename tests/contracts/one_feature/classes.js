// One-feature programs on classes and errors; see snippets.py.

//# class_self
class A { make () { return new A() } static one = 1 } return [new A().make() instanceof A, A.one]
//# classes
class A { constructor (x) { this.x = x } get double () { return this.x * 2 } static of (x) { return new A(x) } toString () { return `A${this.x}` } } return [A.of(2).double, String(new A(3)), typeof A, A.name]
//# class_extends
class A { hi () { return 'a' } static s () { return 's' } } class B extends A { hi () { return super.hi() + 'b' } static s () { return super.s() + 't' } } return [new B().hi(), B.s(), new B() instanceof A]
//# class_call
class A {} try { A() } catch (e) { return e.name }
//# class_accessor
class A { set v (x) { this._v = x } get v () { return this._v + 1 } } const a = new A(); a.v = 4; return [a.v, Object.keys(a)]
//# class_fields
class A { x = 1; static y = 2; z = this.x + 1; ['w' + 1] = 3 } return [new A().z, A.y, Object.keys(new A())]
//# class_field_define
class A { set x (v) { throw new Error('set') } } class B extends A { x = 1 } return new B().x
//# class_field_arrow
class A { v = 3; f = () => this.v } const { f } = new A(); return f()
//# class_field_unset
class A { x } return ['x' in new A(), new A().x === undefined]
//# class_expression
const A = class { m () { return 1 } }; return [new A().m(), A.name]
//# class_methods_hidden
class A { m () {} } return [Object.keys(A.prototype), Object.getOwnPropertyNames(A.prototype)]
//# class_getter_super
class A { get v () { return this.x } } class B extends A { x = 4; get v () { return super.v + 1 } } return new B().v
//# class_computed
const k = 'm'; class A { [k + 1] () { return 2 } } return new A().m1()
//# error_subclass
class E extends Error { constructor (m) { super(m); this.name = 'E'; this.code = 7 } extra () { return 1 } } try { throw new E('x') } catch (e) { return [e.name, e.message, e.code, e instanceof E, e instanceof Error, e.extra(), String(e)] }
//# error_subclass_plain
class E extends TypeError {} const e = new E('m'); return [e.name, e.message, e instanceof E, e instanceof TypeError, e.constructor === E]
//# map_subclass
class M extends Map { get first () { return this.keys().next().value } } const m = new M([[1, 2]]); return [m.first, m.get(1), m.size, m instanceof M]
//# set_subclass
class S extends Set { has (x) { return super.has(String(x)) } } const s = new S(['1']); return s.has(1)
//# super_property
const a = { v () { return 'a' } }; const b = { __proto__: a, v () { return super.v() + 'b' } }; return b.v()
//# getter_setter
const o = { get a () { return this._a }, set a (v) { this._a = v * 2 } }; o.a = 2; return o
//# getter_delete
const o = { a: 1, b: 2 }; delete o.a; return [o, 'a' in o]
//# getter_static
class A { static get x () { return 4 } } return A.x
//# new_anonymous
return new (class { v = 2 })().v
//# error_properties
const e = new RangeError('m', { cause: 5 }); return [String(e), e.cause, Object.keys(e), e instanceof Error, e.constructor.name, 'cause' in new Error('x')]
//# error_native
const out = []; for (const f of [() => null.x, () => undefined(), () => { let a; a.b }, () => new Array(-1), () => decodeURIComponent('%'), () => [].x.y, () => ({}).f()]) { try { f() } catch (e) { out.push(e.name) } } return out
//# error_aggregate
const e = new AggregateError([1, 2], 'm'); return [e.errors, e.message, e.name, e instanceof Error]
//# error_name_assign
const e = new Error('a'); e.name = 'N'; return [String(e), Object.keys(e)]
//# getter_on_prototype
const o = Object.create({ get v () { return this.k } }); o.k = 2; return o.v
//# private_field
class A { #x = 1; get () { return this.#x } } return new A().get()
//# private_field_unset
class A { #x; get () { return this.#x } set (v) { this.#x = v; return this } } return [new A().get() === undefined, new A().set(4).get()]
//# private_method
class A { #m (a) { return [a, this.v] } v = 3; m () { return this.#m(2) } } return new A().m()
//# private_in
class A { #x; static is (o) { return #x in o } } return [A.is({}), A.is(new A()), A.is(Object.create(new A()))]
//# private_read_of_other
class A { #x = 1; get () { return this.#x } } try { return A.prototype.get.call({}) } catch (e) { return e.name }
//# private_write_of_other
class A { #x = 1; set () { this.#x = 1 } } try { return A.prototype.set.call({}) } catch (e) { return e.name }
//# private_static_field
class A { static #n = 0; static next () { return ++A.#n } static old () { return A.#n++ } } return [A.next(), A.old(), A.next()]
//# private_accessor
class A { get #g () { return this.v * 2 } set #g (v) { this.v = v } f () { this.#g = 5; this.#g += 1; return this.#g } } return new A().f()
//# private_no_setter
class A { get #g () { return 1 } f () { this.#g = 5 } } try { new A().f() } catch (e) { return e.name }
//# private_no_getter
class A { set #g (v) { } f () { return this.#g } } try { new A().f() } catch (e) { return e.name }
//# private_method_not_writable
class A { #m () {} f () { this.#m = 5 } } try { new A().f() } catch (e) { return e.name }
//# private_order_of_fields
const log = []; class A { a = log.push('a'); #x = log.push('x'); b = log.push('b' + this.#x); #y = log.push('y' + this.b); end () { return [this.#x, this.#y] } } return [new A().end(), log]
//# private_in_subclass
class A { #x = 1; m () { return this.#x } } class B extends A { #x = 2; n () { return [this.#x, this.m()] } } return new B().n()
//# private_of_two_evaluations
const make = () => class { #x = 1; static get (o) { return o.#x } }; const A = make(), B = make(); try { B.get(new A()) } catch (e) { return [e.name, A.get(new A())] }
//# private_in_a_loop
const all = []; for (let i = 0; i < 2; i++) { class A { #x = i; static get (o) { return o.#x } } all.push(A) } try { all[0].get(new all[1]()) } catch (e) { return [e.name, all[0].get(new all[0]()), all[1].get(new all[1]())] }
//# private_is_not_seen
class A { #x = 1; #m () {} keys () { return [Object.keys(this), Object.getOwnPropertyNames(this), Object.getOwnPropertySymbols(this).length, Object.getOwnPropertyNames(A.prototype), JSON.stringify(this), { ...this }] } } return new A().keys()
//# private_static_method
class A { static #s () { return 5 } static f () { return A.#s() } static g () { return this.#s() } } class B extends A {} try { B.g() } catch (e) { return [e.name, A.f(), Object.getOwnPropertyNames(A).filter(n => n !== 'length' && n !== 'name').sort()] }
//# private_chain
class A { #x = { y: { z: 1 } }; f () { return [this.#x?.y?.z, this.#x.q?.z, this.#x.y.z] } } return new A().f()
//# private_logical_assignment
class A { #x = null; f () { this.#x ??= 3; this.#x ||= 4; this.#x &&= 5; return this.#x } } return new A().f()
//# private_operators
class A { #x = 2; f () { this.#x **= 3; this.#x -= 1; this.#x <<= 1; const a = this.#x--; return [a, this.#x, --this.#x, this.#x++, this.#x] } } return new A().f()
//# private_function_names
class A { #f = () => 1; #g = function () { return 2 }; f () { return [this.#f.name, this.#f(), this.#g.name, this.#g()] } } return new A().f()
//# private_method_name
class A { #m () {} get #g () { return 1 } f () { return this.#m.name } } return new A().f()
//# private_coroutines
class A { async #m (x) { return (await x) + 1 } * #g () { yield * [1, 2] } async f () { return [await this.#m(Promise.resolve(4)), ...this.#g()] } } return await new A().f()
//# private_super
class B { m () { return 'b' } } class A extends B { #m () { return super.m() + 'a' } f () { return this.#m() } } return new A().f()
//# private_frozen
class A { #x = 1; f () { Object.freeze(this); this.#x = 2; return this.#x } } return new A().f()
//# private_frozen_by_superclass
class A { constructor () { Object.freeze(this) } } class B extends A { #x = 1; f () { return ++this.#x } } return new B().f()
//# private_twice
class Base { constructor (o) { return o } } class Stamp extends Base { #x = 1; static has (o) { return #x in o } } const o = {}; new Stamp(o); try { new Stamp(o) } catch (e) { return [Stamp.has(o), e.name, Object.keys(o)] }
//# private_of_another_object
class A { #x = 1; eq (o) { return o.#x === this.#x } } return [new A().eq(new A())]
//# private_in_no_object
class A { #x = 1; static in (o) { return #x in o } } try { A.in(5) } catch (e) { return e.name }
//# private_list
class A { #list = []; add (v) { this.#list.push(v); return this } get all () { return [...this.#list] } } return new A().add(1).add(2).all
//# private_class_names
const o = { C: class { #x = 1; static n = 1 } }; let D = class { #y }; return [o.C.name, D.name, (() => class { #z })().name, class E { #x }.name]
//# private_nested_classes
class A { #x = 1; inner () { return class { #y = 2; sum (a) { return a.#x + this.#y } } } } const a = new A(); return new (a.inner())().sum(a)
//# private_shadowed
class A { #x = 1; inner () { class B { #x = 2; get (o) { return o.#x } } return new B() } } try { new A().inner().get(new A()) } catch (e) { return e.name }
//# private_static_order
class A { static #p = 7; static q = A.#p + 1; static #r () { return 9 } static s = A.#r() } return [A.q, A.s]
//# private_object_once
class A { #n = 0; f () { this.g().#n += 1; return [this.c, this.#n] } c = 0; g () { this.c++; return this } } return new A().f()
//# private_new
class A { #C = class { v = 3 }; f () { return new this.#C().v } g () { return new (this.#C)().v } } return [new A().f(), new A().g()]
//# private_fields_of_fields
class A { #a = 1; #b = this.#a + 1; c = this.#b + 1; constructor () { this.d = this.c + this.#b } } return [new A().c, new A().d]
//# private_in_derived
class P { v = 1 } class A extends P { #a = this.v + 1; constructor () { super(); this.d = this.#a } } return new A().d
//# private_of_null
class A { #x = 1; m (o) { return o.#x } } try { new A().m(null) } catch (e) { return e.name }
//# private_call_this
class A { #t () { return this === undefined ? 0 : 1 } f () { const t = this.#t; return [t.call(5), this.#t(...[1, 2])] } } return new A().f()
//# private_in_lines
class A { #x = 1; f (o) { return #x in o && o.#x
 === 1 } } return [new A().f(new A()), new A().f({})]
//# private_lines
class A { #x = 1
 #y
 static #z
 get () { return this
   .#x } } return new A().get()
//# static_names_class_expression
const X = class Y { static w = 1; static v = Y.w }; return X.v
//# static_this
class A { static v = 1; static w = this.v + 1 } return A.w
//# static_this_of_expression
const X = class { static w = 1; static v = this.w }; return [X.v, X.name]
//# private_static_this
class A { static #v = 1; static w = this.#v + 1 } return A.w
//# static_block
class A { static v; static { this.v = 1; A.w = 2 } } return [A.v, A.w]
//# static_block_order
const log = []; class A { static a = log.push('a'); static { log.push('b'); var t = 1; let u = 2; log.push(t + u) } static c = log.push('c') } return log
//# static_block_of_expression
const X = class { static #s = 1; static { this.t = this.#s + 1 } static w = [1].map(() => this.t) }; return [X.t, X.w, X.name]
//# static_block_closures
class A { static { for (const k of ['x', 'y']) this[k] = () => k } } let t = 1; { class B { static { var t = 2 } } } return [A.x(), A.y(), t]
//# static_class_names
const o = { P: class { static n = 'q' } }; const f = (C = class { static v = 1 }) => C.name; return [o.P.name, f()]
//# static_functions
class A { static f = () => this.g; static g = 4; static h = function () { return this } } return [A.f(), A.h() === A, Object.keys(A)]
//# static_name
class A { static name = 'z' } class B { static name () { return 1 } static #p = 1 } const C = class { static name = 'k'; static v = 1 }; return [A.name, typeof B.name, C.name]
//# static_in_method
class A { m () { return class { static o = this; static p = 1 } } } const C = new A().m(); return C.o === C
//# private_static_async
class A { static async run () { return await A.#later(3) } static async #later (x) { await null; return x } } return await A.run()
//# private_stack
class Stack { #items = []; #limit; constructor (limit = 3) { this.#limit = limit } push (...all) { for (const one of all) { if (this.#items.length >= this.#limit) throw new RangeError('full'); this.#items.push(one) } return this } *[Symbol.iterator] () { yield* this.#items } get size () { return this.#items.length } static of (...all) { return new Stack(all.length).push(...all) } } const s = Stack.of(1, 2); try { s.push(3) } catch (e) { return [...s, s.size, e.name] }
//# private_in_defaults
class A { #x = 1; #y = 2; sum () { const { a = this.#x, b = this.#y } = {}; return ((c = this.#x) => a + b + c)() } } return new A().sum()
//# private_json_and_copies
class A { #x = 1; toJSON () { return { x: this.#x } } copy () { return Object.assign(new A(), this) } static same (a, b) { return a.#x === b.#x } } return [JSON.stringify({ a: new A() }), A.same(new A(), new A().copy())]
//# private_awaited
class A { #x = 5; async f () { this.#x += await 1; return this.#x } * g () { this.#x = yield 1; yield this.#x } } const g = new A().g(); g.next(); return [await new A().f(), g.next(7).value]
