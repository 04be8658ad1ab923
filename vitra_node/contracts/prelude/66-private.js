// What classes keep under private names. A class has a key, made anew whenever the class is
// evaluated; an object carries one record for each key, in a property that no contract can reach.

var PRIVATE = Symbol('private')
INTERNAL_SYMBOLS.push(PRIVATE)
var nextPrivateKey = 1
// Marks in a record that the methods of instances, or of the class, belong to the object.
var INSTANCE = 'instance'
var STATIC = 'static'

function privateRecord (object, key) {
  if (!isObject(object)) return undefined
  if (hasOwn.call(object, PRIVATE)) return object[PRIVATE][key.id]
  return key.frozen === undefined ? undefined : key.frozen[objectId(object)]
}

function makePrivateRecord (object, key) {
  var record = privateRecord(object, key)
  if (record !== undefined) return record
  charge(ENTRY_FUEL)
  record = nativeCreate(null)
  if (hasOwn.call(object, PRIVATE)) {
    object[PRIVATE][key.id] = record
  } else if (Object.isExtensible(object)) {
    var records = nativeCreate(null)
    records[key.id] = record
    defineProperty(object, PRIVATE, { value: records })
  } else {
    if (key.frozen === undefined) key.frozen = nativeCreate(null)
    key.frozen[objectId(object)] = record
  }
  return record
}

function privateMember (object, key, name) {
  var record = privateRecord(object, key)
  if (record === undefined) return undefined
  var method = key.methods[name]
  if (method !== undefined) return record[method.owner] ? method : undefined
  return record[name]
}

function neededPrivateMember (object, key, name, what) {
  var member = privateMember(object, key, name)
  if (member === undefined) {
    throw new TypeError('Cannot ' + what + ' private member ' + name + ' of an object whose class did not declare it')
  }
  return member
}

function nameFunction (value, name) {
  defineProperty(value, 'name', { value: name, configurable: true })
}

// What compiled code calls, see front_pass/private_names.py.
var privateNames = {
  key: function () {
    return { id: nextPrivateKey++, methods: nativeCreate(null), frozen: undefined }
  },

  // Takes private methods from where the class has them: a list of name, kind, whether static.
  // A class that has no name of its own gets the one that is shown.
  take: function (Class, key, methods, ownName, shown) {
    if (shown !== null && Class.name === ownName) nameFunction(Class, shown)
    methods.forEach(function (method) {
      var holder = method[2] ? Class : Class.prototype
      var compiled = '__vitra_m' + method[0].slice(1)
      var descriptor = Object.getOwnPropertyDescriptor(holder, compiled)
      delete holder[compiled]
      if (descriptor.value !== undefined) nameFunction(descriptor.value, method[0])
      if (descriptor.get !== undefined) nameFunction(descriptor.get, 'get ' + method[0])
      if (descriptor.set !== undefined) nameFunction(descriptor.set, 'set ' + method[0])
      key.methods[method[0]] = {
        owner: method[2] ? STATIC : INSTANCE,
        isMethod: method[1] === 'method',
        value: descriptor.value,
        get: descriptor.get,
        set: descriptor.set
      }
      if (method[2]) makePrivateRecord(Class, key)[STATIC] = true
    })
  },

  // Before its fields begin, an instance has its private methods.
  brand: function (object, key) {
    var record = makePrivateRecord(object, key)
    if (record[INSTANCE]) throw new TypeError('Cannot initialize private methods twice on the same object')
    record[INSTANCE] = true
  },

  add: function (object, key, name, value, takesName) {
    var record = makePrivateRecord(object, key)
    if (record[name] !== undefined) throw new TypeError('Cannot initialize ' + name + ' twice on the same object')
    if (takesName && value.name === '') nameFunction(value, name)
    record[name] = { value: value }
  },

  // A static block, or the value of a static field.
  run: function (code, Class) { return code.call(Class) },

  has: function (object, key, name) {
    if (!isObject(object)) throw new TypeError("Cannot use 'in' operator to search for " + name + ' in ' + describe(object))
    return privateMember(object, key, name) !== undefined
  },

  get: function (object, key, name) {
    var member = neededPrivateMember(object, key, name, 'read')
    if (member.owner === undefined || member.isMethod) return member.value
    if (member.get === undefined) throw new TypeError(name + ' was defined without a getter')
    return member.get.call(object)
  },

  set: function (object, key, name, value) {
    var member = neededPrivateMember(object, key, name, 'write')
    if (member.owner === undefined) {
      member.value = value
    } else {
      if (member.isMethod) throw new TypeError('Private method ' + name + ' is not writable')
      if (member.set === undefined) throw new TypeError(name + ' was defined without a setter')
      member.set.call(object, value)
    }
    return value
  },

  step: function (object, key, name, by, isPrefix) {
    var before = numberOf(privateNames.get(object, key, name))
    privateNames.set(object, key, name, before + by)
    return isPrefix ? before + by : before
  }
}
