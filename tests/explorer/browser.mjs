// A browser that is told what to do in JSON lines on stdin, and answers each on stdout.
//   {id, method, ...arguments} -> {id, result} or {id, error}
// Methods are below. Whatever a page tried that it must not is gathered under `problems`.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { chromium } from 'playwright-core'

const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium'
// Without these, Chromium looks for its maker's hosts at every start.
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync',
  '--disable-background-networking', '--disable-component-update', '--disable-dev-shm-usage'
]
const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const profile = await mkdtemp(join(tmpdir(), 'vitra-browser-'))
const context = await chromium.launchPersistentContext(profile, {
  executablePath: CHROMIUM, args: FLAGS, headless: true, acceptDownloads: true
})
const page = context.pages()[0] ?? await context.newPage()
const problems = []
page.on('dialog', async dialog => {
  problems.push(`dialog: ${dialog.message()}`)
  await dialog.dismiss()
})
page.on('pageerror', error => problems.push(`script: ${error.message}`))
page.on('console', message => {
  if (['error', 'warning'].includes(message.type())) problems.push(`console: ${message.text()}`)
})
context.on('request', request => {
  const host = new URL(request.url()).hostname
  if (!['127.0.0.1', 'localhost'].includes(host) && !request.url().startsWith('blob:')) {
    problems.push(`request: ${request.url()}`)
  }
})
context.on('page', opened => problems.push(`window: ${opened.url()}`))
await page.addInitScript(() => {
  document.addEventListener('securitypolicyviolation', event =>
    console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`))
})

const methods = {
  async open ({ url }) {
    const response = await page.goto(url, { waitUntil: 'load' })
    return { status: response.status(), url: page.url(), title: await page.title() }
  },
  async view ({ width, height, scheme }) {
    await page.setViewportSize({ width, height })
    await page.emulateMedia({ colorScheme: scheme })
  },
  // Waits in the page until its text holds something; gives the milliseconds.
  async text ({ text, selector = 'main', timeout = 30_000 }) {
    const begin = performance.now()
    await page.waitForFunction(
      ([where, what]) => document.querySelector(where)?.textContent.includes(what),
      [selector, text], { timeout, polling: 20 })
    return performance.now() - begin
  },
  async read ({ selector = 'main' }) {
    return await page.innerText(selector)
  },
  async hidden ({ selector }) {
    return await page.textContent(selector)
  },
  async click ({ selector }) {
    await page.click(selector)
    await page.waitForLoadState('load')
    return page.url()
  },
  async download ({ selector, file }) {
    const [download] = await Promise.all([page.waitForEvent('download'), page.click(selector)])
    await download.saveAs(file)
    return download.suggestedFilename()
  },
  async press ({ key }) {
    await page.keyboard.press(key)
    return await page.evaluate(() => document.activeElement?.textContent.trim() ?? '')
  },
  // The Enter key where it leads to another page.
  async enter () {
    await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')])
    return page.url()
  },
  async shoot ({ file }) {
    await page.screenshot({ path: file, fullPage: true })
    return await methods.overhang()
  },
  // By how many pixels the page is wider than the window.
  async overhang () {
    return await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
  },
  // Whether nothing of an element is beyond the left or right edge of what it scrolls in.
  async within ({ selector, scroller }) {
    return await page.evaluate(([what, where]) => {
      const inner = document.querySelector(what).getBoundingClientRect()
      const outer = document.querySelector(where).getBoundingClientRect()
      return outer.left <= inner.left && inner.right <= outer.right
    }, [selector, scroller])
  },
  // Serious findings of axe. It runs in a world of its own, which the page's policy does not reach.
  async axe () {
    const session = await context.newCDPSession(page)
    const { frameTree } = await session.send('Page.getFrameTree')
    const { executionContextId } = await session.send('Page.createIsolatedWorld', {
      frameId: frameTree.frame.id, worldName: 'axe'
    })
    await session.send('Runtime.evaluate', { expression: axeSource, contextId: executionContextId })
    const { result, exceptionDetails } = await session.send('Runtime.evaluate', {
      expression: 'axe.run().then(found => JSON.stringify(found.violations))',
      contextId: executionContextId, awaitPromise: true, returnByValue: true
    })
    await session.detach()
    if (exceptionDetails) throw new Error(exceptionDetails.text)
    return JSON.parse(result.value)
      .filter(each => ['serious', 'critical'].includes(each.impact))
      .map(each => `${each.id}: ${each.nodes.map(node => node.target.join(' ')).join('; ')}`)
  },
  async problems () {
    return problems.splice(0)
  }
}

console.log(JSON.stringify({ ready: true }))
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, ...given } = JSON.parse(line)
  try {
    console.log(JSON.stringify({ id, result: await methods[method](given) ?? null }))
  } catch (error) {
    console.log(JSON.stringify({ id, error: String(error.stack ?? error) }))
  }
}
await context.close()
await rm(profile, { recursive: true, force: true })
