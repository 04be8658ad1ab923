// What the embedding and the engine put into the realm besides ECMAScript goes first. All files of
// the prelude share one function scope; nothing of it can be reached from a contract but what
// module.js hands out.
var GLOBAL = globalThis
var HOST = GLOBAL.call_python
var RESUME = Duktape.Thread.resume
var YIELD = Duktape.Thread.yield
var Thread = Duktape.Thread
var encodeBytes = Duktape.enc
var decodeBytes = Duktape.dec

var ObjectPrototype = Object.prototype
var ArrayPrototype = Array.prototype
var hasOwn = ObjectPrototype.hasOwnProperty
var nativeToString = ObjectPrototype.toString
var getPrototypeOf = Object.getPrototypeOf
var setPrototypeOf = Object.setPrototypeOf
var defineProperty = Object.defineProperty
var nativeSlice = ArrayPrototype.slice
var nativePush = ArrayPrototype.push
var isArray = Array.isArray
var nativeForEach = ArrayPrototype.forEach
var nativeMap = ArrayPrototype.map
var nativeFilter = ArrayPrototype.filter
var nativeIndexOf = String.prototype.indexOf
var nativeLastIndexOf = String.prototype.lastIndexOf
var nativeTest = RegExp.prototype.test
var nativeExec = RegExp.prototype.exec
var NativeDate = Date
var evaluate = eval

;['Duktape', 'call_python', 'dukpy', 'require', '_require_set_module_id', 'Buffer', 'CBOR', 'Proxy',
  'Reflect', 'performance', 'eval', 'TextEncoder', 'TextDecoder'
].forEach(function (name) { delete GLOBAL[name] })

// Defines properties that for-in does not see, as all built-ins are.
function hidden (target, properties) {
  Object.keys(properties).forEach(function (name) {
    defineProperty(target, name, {
      value: properties[name], writable: true, enumerable: false, configurable: true
    })
  })
}

function getter (target, name, get) {
  defineProperty(target, name, { get: get, set: undefined, enumerable: false, configurable: true })
}
