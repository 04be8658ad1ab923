// Follows the node: when something changed, fetches this page anew and takes over its live parts.
// The server renders and escapes everything; what is taken over never runs as a script.
'use strict'

const PAUSE_MILLISECONDS = 250
let fetching = false
let again = false

// The token was needed once; it should not stay in the address, the history, or a screenshot.
const address = new URL(location.href)
if (address.searchParams.has('token')) {
  address.searchParams.delete('token')
  history.replaceState(null, '', address)
}

function tell (text) {
  const line = document.getElementById('connection')
  if (line && line.textContent !== text) line.textContent = text
}

function takeOver (fresh) {
  for (const part of document.querySelectorAll('[data-live]')) {
    const next = fresh.getElementById(part.id)
    if (!next || next.outerHTML === part.outerHTML) continue
    const focused = part.contains(document.activeElement)
      ? document.activeElement.getAttribute('href') || document.activeElement.getAttribute('aria-label')
      : null
    const taken = document.importNode(next, true)
    if (part.getAttribute('role') === 'status') {
      // Screen readers tell what changes inside of an element, and nothing of one that is new.
      part.className = taken.className
      part.replaceChildren(...taken.childNodes)
      continue
    }
    part.replaceWith(taken)
    if (focused) {
      const same = [...taken.querySelectorAll('a, [tabindex]')].find(each =>
        (each.getAttribute('href') || each.getAttribute('aria-label')) === focused)
      if (same) same.focus()
    }
  }
}

async function refresh () {
  if (fetching) {
    again = true
    return
  }
  fetching = true
  try {
    do {
      again = false
      const response = await fetch(address, { credentials: 'same-origin', cache: 'no-store' })
      takeOver(new DOMParser().parseFromString(await response.text(), 'text/html'))
      await new Promise(resolve => setTimeout(resolve, PAUSE_MILLISECONDS))
    } while (again)
    tell('Live: this page follows the node.')
  } catch (error) {
    tell('The explorer does not answer. Start it again with `vitra explorer`.')
  } finally {
    fetching = false
  }
}

// A drawing that is wider than the window begins where its block is in sight.
for (const drawing of document.querySelectorAll('.drawing')) {
  const block = drawing.querySelector('.block')
  if (!block) continue
  const [outer, inner] = [drawing.getBoundingClientRect(), block.getBoundingClientRect()]
  drawing.scrollLeft += inner.left + inner.width / 2 - outer.left - outer.width / 2
}

if (document.querySelector('[data-live]')) {
  const events = new EventSource('/live')
  events.addEventListener('changed', refresh)
  events.addEventListener('error', () => tell('Not connected; trying again.'))
  window.addEventListener('pagehide', () => events.close())
}
