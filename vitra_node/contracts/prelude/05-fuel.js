// The consensus limit. Compiled code counts at the head of every function and loop, built-ins that
// work for long count what they do. Out of fuel *latches*: whatever a contract catches, its next
// step throws again, and the host looks at the latch, not at what the contract returned.

// A quarter of a second of plain loops: every participant can make every monitor spend it.
var FUEL_PER_OPERATION = 1000000
var FUEL_PER_CALL = 9007199254740991

// What takes memory costs in proportion, so that an operation ends by fuel before it ends by the
// memory of the machine: a promise about 1 KiB, a coroutine 5 KiB while it waits.
var PROMISE_FUEL = 50
var ASYNC_FUEL = 50
var READ_FUEL = 200
var LISTED_ENTRY_FUEL = 20
var CHARACTERS_PER_FUEL = 16
// A new entry of a Map or Set, and a search that may find something at every few characters.
var ENTRY_FUEL = 4
var SEARCHED_CHARACTERS_PER_FUEL = 4
// A pattern made at run time is compiled by the engine, which takes time and half a kilobyte.
var PATTERN_FUEL = 50
var KNOWN_PATTERN_FUEL = 10
// Chains of these slow down everything that walks them.
var CHAINED_OBJECT_FUEL = 50

var LATCH_NONE = 0
var LATCH_FUEL = 1
// The machine ran short: no verdict about the contract.
var LATCH_MEMORY = 2
// The operation needs something that only a batch of its own can tell.
var LATCH_BREAK = 3

var fuel = FUEL_PER_CALL
var latch = LATCH_NONE
// What is thrown while latched. Compiled catch blocks pass it on.
var STOP = Object.freeze({ toString: function () { return 'stopped' } })

function stop (kind) {
  if (latch === LATCH_NONE) latch = kind
  fuel = -1
  throw STOP
}

function tick () {
  if (--fuel < 0) stop(LATCH_FUEL)
}

// For built-ins: the cost of n small steps.
function charge (n) {
  // Also true for NaN, which no caller passes on purpose.
  if (!((fuel -= n) >= 0)) stop(LATCH_FUEL)
}

// The first statement of every compiled catch block.
function caught (error) {
  if (latch !== LATCH_NONE) throw STOP
  if (error === UNWIND) throw error
  if (isOutOfMemory(error)) stop(LATCH_MEMORY)
  return error
}

// What the engine throws when an allocation fails, which depends on the machine: an error, or a
// fixed object when there is no room for that either.
function isOutOfMemory (error) {
  return error !== null && typeof error === 'object' && getPrototypeOf(error) === ErrorPrototype &&
    (error.message === 'alloc failed' || error.name === 'DoubleError')
}

function chargeText (text) {
  charge(1 + text.length / CHARACTERS_PER_FUEL)
}
