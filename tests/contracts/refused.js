// One-feature programs that Node runs and contracts refuse: each names its place. `//# name LINE:COLUMN`
// begins the next; lines count in the program, which is the body of an async function.

//# bigint 1:8
return 1n + 2n
//# bigint_method 1:9
return (10n).toString()
//# array_subclass 1:17
class L extends Array {} return new L(3).length
//# promise_subclass 1:17
class P extends Promise {} return P.resolve(1)
//# async_generator 1:1
async function * g () { yield 1 } for await (const x of g()) return x
//# async_generator_method 1:13
const o = { async * g () { yield 1 } }; return (await o.g().next()).value
//# new_target 1:24
function F () { return new.target === undefined } return F()
//# lookbehind 1:8
return /(?<=a)b/.test('ab')
//# lookbehind_negative 1:8
return /(?<!a)b/.test('cb')
//# unicode_property 1:8
return /\p{Lu}/u.test('É')
//# match_indices 1:8
return /a/d.exec('ba').indices[0]
//# proxy 1:12
return new Proxy({}, { get: () => 1 }).x
//# reflect 1:8
return Reflect.ownKeys({ a: 1 })
//# function_constructor 1:8
return Function('return 1')()
//# eval 1:8
return eval('1 + 1')
//# intl 1:12
return new Intl.NumberFormat('en').format(1)
//# weak_ref 1:12
return new WeakRef({}).deref() !== undefined
//# finalization 1:19
return typeof new FinalizationRegistry(() => {})
//# shared_memory 1:12
return new SharedArrayBuffer(8).byteLength
//# atomics 1:8
return Atomics.add(new Int32Array(2), 0, 1)
//# big_typed_array 1:12
return new BigInt64Array(2).length
//# text_decoder 1:12
return new TextDecoder().decode(new Uint8Array([65]))
//# timer 1:31
return await new Promise(r => setTimeout(() => r(1), 0))
//# buffer 1:8
return Buffer.from('a').length
//# process 1:8
return process.argv.length > 0
//# url 1:12
return new URL('http://a/b').pathname
//# structured_clone 1:8
return structuredClone({ a: 1 })
//# dynamic_import 1:15
return typeof import('node:fs')
//# import_meta 1:15
return typeof import.meta.url
//# tdz_here 1:8
return x; let x = 1
//# escaped_name 1:5
let \u0061b = 1; return ab
//# spread_accessor 1:20
const o = { ...{}, get a () { return 1 } }; return o.a
//# var_like_parameter 1:34
function * g (a = 1) { try { var a = 2; yield a } finally {} } return [...g()]
//# group_name_beyond 1:8
return /(?<é>a)/.exec('a').groups.é
//# unicode_flag_at_run_time_class 1:8
return /[\p{L}]/u.test('a')
//# tdz_in_class_head 1:17
class B extends B {} return 1
//# tdz_in_class_key 1:12
class C { [C.name] () {} } return 1
//# tdz_closure_in_default 1:24
function s (a = (() => b)(), b = 1) { return a } return s()
//# tdz_closure_called_by_pattern 1:17
const f = () => b; const { b, c = f() } = { b: 1 }; return c
//# var_like_captured_parameter 1:37
function s (x, y = () => x) { { var x = 2 } return y() } return s(1)
//# private_optional 1:44
class A { #x = 1; static f (o) { return o?.#x } } return A.f(new A())
//# private_method_optional 1:44
class A { #m () { return 1 } f () { return this.#m?.() } } return new A().f()
//# private_target 1:32
class A { #x = 1; f () { [this.#x] = [2]; return this.#x } } return new A().f()
//# private_tag 1:53
class A { #t (s) { return s[0] } f () { return this.#t`a` } } return new A().f()
//# static_super 1:57
class B { static v = 1 } class A extends B { static w = super.v } return A.w
