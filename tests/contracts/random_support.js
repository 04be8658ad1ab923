// What random programs use besides the language.

// A list that holds itself nine times has millions of paths through it.
let left = 0
const show = (v, d = 0) => {
  if (--left < 0) return '...'
  if (typeof v === 'number') return Object.is(v, -0) ? '-0' : String(v)
  if (typeof v === 'string') return JSON.stringify(v)
  if (typeof v === 'function') return 'function ' + typeof v.name
  if (typeof v === 'symbol') return v.toString()
  if (v === null || typeof v !== 'object') return String(v)
  if (v instanceof Error) return v.name
  if (d > 6) return '...'
  if (Array.isArray(v)) {
    const items = []
    for (let i = 0; i < Math.min(v.length, 50); i++) items.push(i in v ? show(v[i], d + 1) : 'hole')
    return '[' + items.join() + ':' + v.length + ']'
  }
  return '{' + Object.keys(v).map(k => k + '=' + show(v[k], d + 1)).join() + '}'
}
const play = async program => {
  const out = []
  // Cut between characters: half of one is no value.
  const text = v => { left = 500; return [...show(v)].slice(0, 300).join('') }
  const log = (...all) => { if (out.length < 400) out.push(all.map(text).join(' ')) }
  const t = v => { log('t', v); return v }
  const structure = v => v === null ? 'null' : Array.isArray(v) ? 'list' : typeof v
  try {
    await program(log, t, structure, [])
  } catch (error) {
    out.push('!' + (error instanceof Error ? error.name : text(error)))
  }
  return out
}
