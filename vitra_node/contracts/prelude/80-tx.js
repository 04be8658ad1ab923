// The changes of the running operation.

var MAX_CHANGES = 4096
var MAX_CHANGE_CHARS = 8388608

// path -> sent form of the change; the last on a path counts.
var changes = Object.create(null)
var changeCount = 0
var changeChars = 0
// Changes are taken while apply runs: until its promise is settled, or it returned without one.
var isSealed = true
var applyPromise

function resetChanges () {
  if (changeCount > 0) changes = Object.create(null)
  changeCount = 0
  changeChars = 0
}

function queueChange (path, change, chars) {
  if (changes[path] === undefined && ++changeCount > MAX_CHANGES) {
    changeCount--
    throw new RangeError('an operation makes at most ' + MAX_CHANGES + ' changes')
  }
  changeChars += path.length + chars
  if (changeChars > MAX_CHANGE_CHARS) {
    throw new RangeError('the changes of an operation have at most ' + MAX_CHANGE_CHARS + ' characters')
  }
  changes[path] = change
}

function needOpen (what) {
  if (isSealed || (applyPromise !== undefined && applyPromise[PROMISE].state !== PENDING)) throw new Error(what + ': the operation has ended')
}

function publicKeyOf (options, what) {
  var key = isObject(options) ? options.pubkey : undefined
  if (typeof key === 'string' && /^[0-9a-fA-F]{64}$/.test(key)) return key.toLowerCase()
  if (isObject(key) && key.type === 'Buffer' && isArray(key.data)) key = key.data
  if ((key instanceof NativeUint8Array || isArray(key)) && key.length === 32) {
    var text = ''
    for (var i = 0; i < 32; i++) {
      var byte = key[i]
      if (!(byte >= 0 && byte <= 255 && Math.floor(byte) === byte)) break
      text += (byte < 16 ? '0' : '') + byte.toString(16)
    }
    if (text.length === 64) return text
  }
  throw new TypeError(what + ': pubkey is a public key, 32 bytes or 64 hex digits')
}

function membership (kind, what) {
  return function (options) {
    needOpen(what)
    var key = publicKeyOf(options, what)
    queueChange('/.sys/inputs/' + key, [kind, key], 64)
  }
}

var tx = {
  get: function get (path) {
    needOpen('tx.get')
    checkPath(path, 'tx.get')
    var change = changes[path]
    if (change === undefined || (change[0] !== 'p' && change[0] !== 'd')) return undefined
    if (change[0] === 'd') return { type: 'delete', path: path, value: undefined }
    return { type: 'put', path: path, value: fromWire(change[2]) }
  },
  put: function put (path, value) {
    needOpen('tx.put')
    checkWritePath(path, 'tx.put')
    var wire = toWire(value, 'tx.put')
    queueChange(path, ['p', path, wire], MAX_VALUE_CHARS - charsLeft)
  },
  'delete': function (path) {
    needOpen('tx.delete')
    checkWritePath(path, 'tx.delete')
    queueChange(path, ['d', path], 0)
  },
  addOplog: membership('a', 'tx.addOplog'),
  removeOplog: membership('r', 'tx.removeOplog'),
  setContractSource: function setContractSource (options) {
    needOpen('tx.setContractSource')
    var code = isObject(options) ? options.code : undefined
    if (typeof code !== 'string') throw new TypeError('tx.setContractSource: code is the source text')
    var wire = toWire(code, 'tx.setContractSource')
    queueChange('/.sys/contract/source', ['s', wire], code.length)
  }
}
