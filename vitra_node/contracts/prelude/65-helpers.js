// What the compiler's output calls: the names are Babel's, the code is ours.

var helpers = {}

helpers.classCallCheck = function (instance, Constructor) {
  if (!(instance instanceof Constructor)) {
    throw new TypeError("Class constructor " + Constructor.name + " cannot be invoked without 'new'")
  }
}

function defineMethods (target, list) {
  for (var i = 0; i < list.length; i++) {
    var descriptor = list[i]
    descriptor.enumerable = descriptor.enumerable || false
    descriptor.configurable = true
    if ('value' in descriptor) descriptor.writable = true
    defineProperty(target, descriptor.key, descriptor)
  }
}

helpers.createClass = function (Constructor, ofPrototype, ofClass) {
  if (ofPrototype) defineMethods(Constructor.prototype, ofPrototype)
  if (ofClass) defineMethods(Constructor, ofClass)
  defineProperty(Constructor, 'prototype', { writable: false })
  return Constructor
}

helpers.inherits = function (Sub, Super) {
  if (typeof Super !== 'function' && Super !== null) {
    throw new TypeError('Class extends value ' + describe(Super) + ' is not a constructor or null')
  }
  Sub.prototype = Object.create(Super && Super.prototype, {
    constructor: { value: Sub, enumerable: false, writable: true, configurable: true }
  })
  if (Super) setPrototypeOf(Sub, Super)
}

// Built-ins make their own object when called; it must become one of the subclass.
helpers.possibleConstructorReturn = function (self, made) {
  if (!self) throw new ReferenceError("Must call super constructor in derived class before accessing 'this' or returning from derived constructor")
  if (!isObject(made) || made === self) return self
  var prototype = getPrototypeOf(made)
  if (nativePrototypes.indexOf(prototype) !== -1 && prototype.isPrototypeOf(self)) {
    setPrototypeOf(made, getPrototypeOf(self))
  }
  return made
}

var nativePrototypes = errorNames.map(function (name) { return GLOBAL[name].prototype })
nativePrototypes.push(AggregateErrorConstructor.prototype)

helpers.get = function get (object, key, receiver) {
  for (; object !== null; object = getPrototypeOf(object)) {
    var descriptor = Object.getOwnPropertyDescriptor(object, key)
    if (descriptor === undefined) continue
    if ('value' in descriptor) return descriptor.value
    return descriptor.get === undefined ? undefined : descriptor.get.call(receiver)
  }
}

helpers.set = function (object, key, value, receiver) {
  for (; object !== null; object = getPrototypeOf(object)) {
    var descriptor = Object.getOwnPropertyDescriptor(object, key)
    if (descriptor === undefined) continue
    if (descriptor.set !== undefined) {
      descriptor.set.call(receiver, value)
      return value
    }
    if (!('value' in descriptor) || !descriptor.writable) {
      throw new TypeError('Cannot assign to read only property ' + describe(key))
    }
    break
  }
  receiver[key] = value
  return value
}

helpers.defineProperty = function (target, key, value) {
  defineProperty(target, key, {
    value: value, enumerable: true, configurable: true, writable: true
  })
  return target
}

helpers.defineEnumerableProperties = function (target, descriptors) {
  enumerableKeys(descriptors).forEach(function (key) {
    var descriptor = descriptors[key]
    descriptor.configurable = descriptor.enumerable = true
    if ('value' in descriptor) descriptor.writable = true
    defineProperty(target, key, descriptor)
  })
  return target
}

// Object spread: own properties are defined, not assigned.
helpers['extends'] = function (target) {
  for (var i = 1; i < arguments.length; i++) {
    var source = arguments[i]
    if (source === undefined || source === null) continue
    source = Object(source)
    var keys = enumerableKeys(source)
    for (var k = 0; k < keys.length; k++) {
      var key = keys[k]
      if (typeof key === 'symbol') helpers.defineProperty(target, key, source[key])
      else setOwn(target, key, source[key])
    }
  }
  return target
}

helpers.objectWithoutProperties = function (source, left) {
  var out = {}
  var keys = enumerableKeys(Object(source))
  for (var i = 0; i < keys.length; i++) {
    var key = keys[i]
    if (left.indexOf(key) !== -1) continue
    if (typeof key === 'symbol') helpers.defineProperty(out, key, source[key])
    else setOwn(out, key, source[key])
  }
  return out
}

helpers.objectDestructuringEmpty = function (value) {
  if (value === undefined || value === null) {
    throw new TypeError("Cannot destructure '" + describe(value) + "' as it is " + describe(value) + '.')
  }
}

helpers.toConsumableArray = function (iterable) {
  var out = []
  iterate(iterable, function (item) { out.push(item) })
  return out
}

helpers.toArray = helpers.toConsumableArray

// Array patterns take only as many items as they name.
helpers.slicedToArray = function (iterable, count) {
  if (isArray(iterable) && iterable[ITERATOR] === arrayIteration.values) return iterable
  var iterator = getIterator(iterable)
  var next = iterator.next
  var out = []
  while (out.length < count) {
    tick()
    var step = next.call(iterator)
    if (!isObject(step)) throw new TypeError('Iterator result ' + describe(step) + ' is not an object')
    if (step.done) return out
    out.push(step.value)
  }
  closeIterator(iterator)
  return out
}

helpers.taggedTemplateLiteral = function (cooked, raw) {
  defineProperty(cooked, 'raw', { value: Object.freeze(raw) })
  return Object.freeze(cooked)
}

helpers.interopRequireDefault = function (module) { return module }
helpers.interopRequireWildcard = function (module) { return module }

// A use of a variable before its declaration ran.
function usedTooEarly (name) {
  throw new ReferenceError("Cannot access '" + name + "' before initialization")
}

// An object literal with a prototype, which travels as a property.
function withPrototype (object) {
  var prototype = object.__vitra_o
  delete object.__vitra_o
  if (isObject(prototype) || prototype === null) setPrototypeOf(object, prototype)
  return object
}

helpers['typeof'] = function (value) { return typeof value }
helpers['instanceof'] = function (left, right) { return left instanceof right }
helpers.selfGlobal = undefined
helpers.newArrowCheck = function (inner, bound) {
  if (inner !== bound) throw new TypeError('Cannot instantiate an arrow function')
}
