// Date: UTC, the host's clock, and the texts and formats of the standard.

// Set by the host: a time in milliseconds, or a function that asks for it.
var clock = function () { return 0 }

var ISO_DATE = /^([+-]\d{6}|\d{4})(?:-(\d\d)(?:-(\d\d))?)?(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?)?$/
var DAY_NAMES = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
var MONTH_NAMES = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
var TEXT_DATE = /^(?:[A-Z][a-z]{2},? )?(?:(\d{1,2}) ([A-Z][a-z]{2})|([A-Z][a-z]{2}) (\d{1,2})) (\d{4})(?: (\d\d):(\d\d)(?::(\d\d))?)?(?: (?:GMT|UTC|Z)(?:\+0000)?(?: \([A-Za-z ]*\))?)?$/

function parseDate (text) {
  text = String(text)
  var parts = nativeExec.call(ISO_DATE, text)
  if (parts !== null) return parseIso(parts)
  parts = nativeExec.call(TEXT_DATE, text)
  if (parts !== null) {
    var month = MONTH_NAMES.indexOf(parts[2] || parts[3])
    if (month !== -1) {
      return NativeDate.UTC(+parts[5], month, +(parts[1] || parts[4]), +(parts[6] || 0), +(parts[7] || 0), +(parts[8] || 0))
    }
  }
  // Other engines read much more, each its own way.
  if (/[0-9]/.test(text)) throw new TypeError('Date reads only ISO 8601 texts in a contract, not ' + describe(text.slice(0, 40)))
  return NaN
}

function parseIso (parts) {
  var year = +parts[1]
  var month = parts[2] === undefined ? 1 : +parts[2]
  var day = parts[3] === undefined ? 1 : +parts[3]
  var hour = +(parts[4] || 0)
  var minute = +(parts[5] || 0)
  var second = +(parts[6] || 0)
  var milli = parts[7] === undefined ? 0 : Math.floor(+('0.' + parts[7]) * 1000 + 1e-7)
  if (parts[1] === '-000000' || month < 1 || month > 12 || day < 1 || day > daysOf(year, month) ||
      hour > 24 || minute > 59 || second > 59 || (hour === 24 && minute + second + milli > 0)) {
    return NaN
  }
  var date = new NativeDate(0)
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute, second, milli)
  var zone = parts[8]
  var offset = zone === undefined || zone === 'Z' ? 0
    : (zone.charAt(0) === '-' ? -1 : 1) * (+zone.slice(1, 3) * 60 + +zone.slice(4))
  return date.getTime() - offset * 60000
}

// The engine of Node takes 30 February for 1 March in ISO texts, days above 31 for nothing.
function daysOf () { return 31 }

function two (number) { return (number < 10 ? '0' : '') + number }

function yearText (year) {
  return (year < 0 ? '-' : '') + ('000' + Math.abs(year)).slice(-Math.max(4, String(Math.abs(year)).length))
}

function DateConstructor (a, b, c, d, e, f, g) {
  if (!(this instanceof DateConstructor)) return dateText(new NativeDate(clock()))
  switch (arguments.length) {
    case 0: return new NativeDate(clock())
    case 1:
      if (a instanceof NativeDate) return new NativeDate(a.getTime())
      if (isObject(a)) a = toPrimitive(a)
      return new NativeDate(typeof a === 'string' ? parseDate(a) : Number(a))
  }
  return new NativeDate(utc(a, b, arguments.length > 2 ? c : 1, d, e, f, g))
}

function toPrimitive (value) {
  var primitive = value.valueOf()
  return isObject(primitive) ? String(value) : primitive
}

function utc (year, month, day, hour, minute, second, milli) {
  return NativeDate.UTC(year, month === undefined ? 0 : month, day === undefined ? 1 : day,
    hour === undefined ? 0 : hour, minute === undefined ? 0 : minute,
    second === undefined ? 0 : second, milli === undefined ? 0 : milli)
}

function dayText (date) {
  return DAY_NAMES[date.getUTCDay()] + ' ' + MONTH_NAMES[date.getUTCMonth()] + ' ' +
    two(date.getUTCDate()) + ' ' + yearText(date.getUTCFullYear())
}

function timeText (date) {
  return two(date.getUTCHours()) + ':' + two(date.getUTCMinutes()) + ':' + two(date.getUTCSeconds())
}

function dateText (date) {
  if (isNaN(date.getTime())) return 'Invalid Date'
  return dayText(date) + ' ' + timeText(date) + ' GMT+0000 (Coordinated Universal Time)'
}

defineProperty(DateConstructor, 'name', { value: 'Date' })
defineProperty(DateConstructor, 'length', { value: 7 })
defineProperty(DateConstructor, 'prototype', { value: NativeDate.prototype, writable: false })
hidden(DateConstructor, {
  now: function now () { return clock() },
  parse: function parse (text) { return parseDate(text) },
  UTC: function UTC (year, month, day, hour, minute, second, milli) {
    return utc(year, month, day, hour, minute, second, milli)
  }
})
hidden(NativeDate.prototype, {
  constructor: DateConstructor,
  toString: function toString () { return dateText(this) },
  toDateString: function toDateString () {
    return isNaN(this.getTime()) ? 'Invalid Date' : dayText(this)
  },
  toTimeString: function toTimeString () {
    return isNaN(this.getTime()) ? 'Invalid Date' : timeText(this) + ' GMT+0000 (Coordinated Universal Time)'
  },
  toUTCString: utcText,
  toGMTString: utcText,
  toLocaleString: localeDependent('toLocaleString'),
  toLocaleDateString: localeDependent('toLocaleDateString'),
  toLocaleTimeString: localeDependent('toLocaleTimeString')
})
hidden(GLOBAL, { Date: DateConstructor })

function utcText () {
  if (isNaN(this.getTime())) return 'Invalid Date'
  return DAY_NAMES[this.getUTCDay()] + ', ' + two(this.getUTCDate()) + ' ' +
    MONTH_NAMES[this.getUTCMonth()] + ' ' + yearText(this.getUTCFullYear()) + ' ' +
    timeText(this) + ' GMT'
}
