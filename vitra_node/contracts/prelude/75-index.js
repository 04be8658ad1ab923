// Reads of the index: from the host, under the changes of the operations before in the batch.

var MAX_KEY_BYTES = 4096
var MAX_LISTED_ENTRIES = 10000

// Answers of the host in this batch, or in the calls since the host last said that the index it shows
// is another one.
var hostCache = Object.create(null)
// Changes of earlier operations of the batch: path -> { deleted, value }.
var overlay = Object.create(null)
var overlayPaths = []
// Whether an earlier operation of the batch has an ack that the host does not show yet.
var hasUnseenAcks = false
// Reads of the running operation, for the proof of what it looked at.
var reads = []
var readKeys = Object.create(null)

function resetBatch () {
  hostCache = Object.create(null)
  overlay = Object.create(null)
  overlayPaths = []
  hasUnseenAcks = false
  checkedPaths = Object.create(null)
}

function resetReads () {
  reads = []
  readKeys = Object.create(null)
}

function noteRead (path, options) {
  var key = options === undefined ? path : path + '\u0000' + nativeStringify(options)
  if (readKeys[key]) return key
  readKeys[key] = true
  reads.push(options === undefined ? [path] : [path, options])
  return key
}

function askHost (kind, path, options) {
  return HOST('frame', { t: kind, p: path, o: options })
}

// A read fails for want of stack at the same depth whether the host is asked or the answer is at
// hand, because that depends on the batch: both kinds of stack are tried first.
function needStack () {
  descend(24)
  nativeForEach.call(ONE, function () { nativeForEach.call(ONE, descendOnce) })
}

var ONE = [0]

function descendOnce () {
  nativeForEach.call(ONE, descend)
}

// Paths that this batch has found canonical.
var checkedPaths = Object.create(null)

// The same rules as the host's codec, with texts of their own.
function checkPath (path, what) {
  if (typeof path !== 'string') throw new TypeError(what + ': a path is a text')
  if (path.charAt(0) !== '/') throw new Error(what + ': a path starts with /')
  charge(1 + path.length / 8)
  if (checkedPaths[path]) return path
  if (nativeIndexOf.call(path, '\u0000') !== -1) throw new Error(what + ': a path has no NUL in it')
  if (path.charAt(path.length - 1) === '/' || nativeIndexOf.call(path, '//') !== -1) {
    throw new Error(what + ': a path has no empty segments')
  }
  if (!isWellFormed(path)) {
    throw new Error(what + ': a path has no half characters (lone surrogates) in it')
  }
  if (path.length > MAX_KEY_BYTES / 3 && utf8Length(path) - 1 > MAX_KEY_BYTES) {
    throw new Error(what + ': a path has at most ' + MAX_KEY_BYTES + ' bytes')
  }
  checkedPaths[path] = true
  return path
}

function checkWritePath (path, what) {
  checkPath(path, what)
  if (path === '/.sys' || path.slice(0, 6) === '/.sys/') {
    throw new Error(what + ': everything at or below /.sys is written by the protocol only')
  }
  return path
}

function utf8Length (text) {
  var bytes = 0
  for (var i = 0; i < text.length; i++) {
    var unit = nativeCharCodeAt.call(text, i)
    // Two halves are four bytes together.
    bytes += unit < 0x80 ? 1 : unit < 0x800 || isHigh(unit) || isLow(unit) ? 2 : 3
  }
  return bytes
}

function nameOf (path) {
  return path.slice(nativeLastIndexOf.call(path, '/') + 1)
}

var SEQ_OF_BATCH = {
  get: function () { stop(LATCH_BREAK) },
  set: function (value) {
    defineProperty(this, 'seq', { value: value, writable: true, enumerable: true, configurable: true })
  },
  enumerable: true,
  configurable: true
}

// `seq` of an entry that an earlier operation of the batch wrote is known only when that one is in
// the index: whoever looks at it is run again, first of a batch of its own.
function makeEntry (container, seq, path, value) {
  var entry = { container: container, seq: seq, name: nameOf(path), path: path, value: value }
  if (seq === undefined) defineProperty(entry, 'seq', SEQ_OF_BATCH)
  return entry
}

function needsOwnBatch (path) {
  if (hasUnseenAcks && path.slice(0, 10) === '/.sys/acks') stop(LATCH_BREAK)
}

function readEntry (path) {
  descend(6)
  checkPath(path, 'index.get')
  charge(READ_FUEL)
  needsOwnBatch(path)
  var key = noteRead(path)
  var change = overlay[path]
  if (change !== undefined) {
    return change.deleted ? undefined : makeEntry(false, undefined, path, fromWire(change.value))
  }
  var found = hostCache[key]
  if (found === undefined) found = hostCache[key] = askHost('get', path)
  if (found === null) return undefined
  return makeEntry(found.c, found.s, found.p, fromWire(found.v))
}

var LIST_BOUNDS = ['lt', 'lte', 'gt', 'gte']

function checkCount (count, what) {
  if (!Number.isInteger(count) || count < 0) throw new TypeError('index.list: ' + what + ' is a count')
  return count
}

function offsetOf (options) {
  return isObject(options) && options.offset !== undefined ? checkCount(options.offset, 'offset') : 0
}

// Bounds of what is read; entries that an offset passes over are read as well.
function checkListOptions (options, offset) {
  var checked = {}
  if (options === undefined || options === null) return checked
  if (!isObject(options)) throw new TypeError('index.list: options is an object')
  LIST_BOUNDS.forEach(function (name) {
    var bound = options[name]
    if (bound === undefined) return
    if (typeof bound !== 'string' || !isWellFormed(bound) || nativeIndexOf.call(bound, '\u0000') !== -1) {
      throw new TypeError('index.list: ' + name + ' is the name of an entry')
    }
    checked[name] = bound
  })
  if (options.limit !== undefined) {
    var limit = checkCount(options.limit, 'limit') + offset
    if (limit <= MAX_LISTED_ENTRIES) checked.limit = limit
  }
  if (options.reverse) checked.reverse = true
  return checked
}

function listEntries (path, options) {
  needStack()
  if (path === undefined) path = '/'
  if (typeof path === 'string' && path.length > 1 && path.charAt(path.length - 1) === '/') {
    path = path.slice(0, -1)
  }
  if (path !== '/') checkPath(path, 'index.list')
  var offset = offsetOf(options)
  options = checkListOptions(options, offset)
  charge(READ_FUEL)
  needsOwnBatch(path)
  var found = uncounted(function () { return findListed(path, options) })
  if (found.length > MAX_LISTED_ENTRIES) {
    throw new RangeError('index.list: more than ' + MAX_LISTED_ENTRIES + ' entries, give a limit')
  }
  charge(found.length * LISTED_ENTRY_FUEL)
  return (offset === 0 ? found : found.slice(offset)).map(function (entry) {
    return makeEntry(entry.c, entry.s, entry.p, fromWire(entry.v))
  })
}

// What work costs must not depend on what the batch did before.
function uncounted (work) {
  var before = fuel
  fuel = FUEL_PER_CALL
  var result = work()
  fuel = before
  return result
}

function findListed (path, options) {
  var key = noteRead(path, options)
  var changed = changedNames(path, options)
  var extra = nativeKeys(changed).length
  if (extra > 0) return mergeListing(askList(path, options, extra), changed, options)
  if (hostCache[key] === undefined) hostCache[key] = askList(path, options, 0)
  return hostCache[key]
}

// Entries that changes delete must not use up the limit.
function askList (path, options, extra) {
  var asked = nativeAssign({}, options)
  asked.limit = options.limit === undefined
    ? MAX_LISTED_ENTRIES + 1 + extra
    : options.limit + extra
  return askHost('list', path, asked)
}

// Names one level below `path` that earlier operations changed, and how.
function changedNames (path, options) {
  var prefix = path === '/' ? '/' : path + '/'
  var changed = {}
  for (var i = 0; i < overlayPaths.length; i++) {
    var full = overlayPaths[i]
    if (full.slice(0, prefix.length) !== prefix) continue
    var rest = full.slice(prefix.length)
    var end = nativeIndexOf.call(rest, '/')
    var name = end === -1 ? rest : rest.slice(0, end)
    if (!isWithin(name, options)) continue
    var known = hasOwn.call(changed, name) ? changed[name] : { path: prefix + name, own: undefined, below: false }
    setOwn(changed, name, known)
    if (end === -1) known.own = overlay[full]
    // Whether a container still holds something after a deletion, only the index can tell.
    else if (overlay[full].deleted) stop(LATCH_BREAK)
    else known.below = true
  }
  return changed
}

function isWithin (name, options) {
  return (options.lt === undefined || compareNames(name, options.lt) < 0) &&
    (options.lte === undefined || compareNames(name, options.lte) <= 0) &&
    (options.gt === undefined || compareNames(name, options.gt) > 0) &&
    (options.gte === undefined || compareNames(name, options.gte) >= 0)
}

// By UTF-8 bytes, which is by code points: halves count as more than any other unit.
function compareNames (a, b) {
  if (a === b) return 0
  if (!hasHalves(a) && !hasHalves(b)) return a < b ? -1 : 1
  var length = Math.min(a.length, b.length)
  for (var i = 0; i < length; i++) {
    var left = nativeCharCodeAt.call(a, i)
    var right = nativeCharCodeAt.call(b, i)
    if (left === right) continue
    if (isHigh(left) || isLow(left)) left += 0x10000
    if (isHigh(right) || isLow(right)) right += 0x10000
    return left - right
  }
  return a.length - b.length
}

function mergeListing (found, changed, options) {
  var merged = []
  found.forEach(function (entry) {
    var name = nameOf(entry.p)
    if (!hasOwn.call(changed, name)) {
      merged.push(entry)
      return
    }
    var change = changed[name]
    delete changed[name]
    var own = change.own === undefined ? entry : ownEntry(change)
    var container = entry.c || change.below
    if (own !== undefined) merged.push({ c: container, s: own.s, p: entry.p, v: own.v })
    else if (container) merged.push({ c: true, s: 0, p: entry.p, v: null })
  })
  Object.keys(changed).forEach(function (name) {
    var change = changed[name]
    var own = change.own === undefined ? undefined : ownEntry(change)
    if (own !== undefined) merged.push({ c: change.below, s: own.s, p: change.path, v: own.v })
    else if (change.below) merged.push({ c: true, s: 0, p: change.path, v: null })
  })
  merged = mergeSort(merged, function (a, b) { return compareNames(nameOf(a.p), nameOf(b.p)) })
  if (options.reverse) merged.reverse()
  // The host may have cut the list before the last of the changed names.
  return options.limit === undefined ? merged : merged.slice(0, options.limit)
}

function ownEntry (change) {
  return change.own.deleted ? undefined : { s: undefined, v: change.own.value }
}
