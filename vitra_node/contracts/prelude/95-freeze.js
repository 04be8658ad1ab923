// Nothing that one operation does may be seen by the next: every built-in is frozen.

// A frozen property of a prototype could not be assigned on the objects that inherit it. Where
// programs do that (`error.name = …`, counts['toString'] = 1) the property becomes a pair of
// accessors whose setter defines an own property.
function allowOverride (prototype, names) {
  names.forEach(function (name) {
    var descriptor = Object.getOwnPropertyDescriptor(prototype, name)
    if (descriptor === undefined || !('value' in descriptor)) return
    var value = descriptor.value
    defineProperty(prototype, name, {
      get: function () { return value },
      set: function (replacement) {
        if (this === prototype) throw new TypeError('Cannot assign to read only property ' + describe(name))
        if (!isObject(this)) return
        if (hasOwn.call(this, name)) {
          this[name] = replacement
        } else {
          defineProperty(this, name, {
            value: replacement, writable: true, enumerable: true, configurable: true
          })
        }
      },
      enumerable: false,
      configurable: false
    })
  })
}

allowOverride(ObjectPrototype, nativeNames(ObjectPrototype))
nativePrototypes.concat([AssertionErrorConstructor.prototype]).forEach(function (prototype) {
  allowOverride(prototype, ['name', 'message', 'toString', 'constructor'])
})
allowOverride(ArrayPrototype, ['toString', 'constructor'])
allowOverride(Function.prototype, ['toString', 'constructor', 'name'])

var frozen = []

function freezeAll (value) {
  if (!isObject(value) || Object.isFrozen(value) && frozen.indexOf(value) !== -1) return
  if (frozen.indexOf(value) !== -1) return
  frozen.push(value)
  if (value !== GLOBAL) Object.freeze(value)
  nativeNames(value).concat(nativeSymbols(value)).forEach(function (key) {
    var descriptor = Object.getOwnPropertyDescriptor(value, key)
    if (descriptor === undefined) return
    freezeAll(descriptor.value)
    freezeAll(descriptor.get)
    freezeAll(descriptor.set)
  })
  freezeAll(getPrototypeOf(value))
}

freezeAll(IteratorPrototype)
freezeAll(GeneratorPrototype)
Object.keys(IteratorPrototypes).forEach(function (tag) { freezeAll(IteratorPrototypes[tag]) })
freezeAll(helpers)
freezeAll(privateNames)
freezeAll(SEQ_OF_BATCH)
freezeAll(modules)
freezeAll(tx)
freezeAll(emit)
;[tick, charge, caught, asyncCall, asyncApply, awaitValue, generatorCall, yieldValue, yieldAll, forAwait,
  usedTooEarly, withPrototype, requireModule, passLine, literalPattern,
  numberOf
].forEach(freezeAll)
freezeAll(GLOBAL)
Object.freeze(GLOBAL)
frozen = undefined

serve()
