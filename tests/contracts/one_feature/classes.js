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
