// Opens the page (first argument) at phone and desktop width, light and dark, keeps a picture of each in
// the folder (second argument), and writes what is wrong, one a line: what the browser complains of, requests, a page wider
// than the window, and what axe finds (WCAG 2.2 A and AA, and its best practices).
import axe from 'axe-core'
import { chromium } from 'playwright-core'

const [url, folder] = process.argv.slice(2)
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] })
for (const width of [390, 1280]) {
  for (const colorScheme of ['light', 'dark']) {
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, reducedMotion: 'reduce' })
    const page = await context.newPage()
    const at = `${width} ${colorScheme}: `
    page.on('console', (m) => console.log(at + m.type() + ': ' + m.text()))
    page.on('request', (r) => r.url() !== url && !r.url().startsWith('data:') && console.log(at + 'asks for ' + r.url()))
    await page.goto(url)
    await page.screenshot({ path: `${folder}/docs-${width}-${colorScheme}.png` })
    const wide = await page.evaluate('document.documentElement.scrollWidth - window.innerWidth')
    if (wide > 0) console.log(at + `is ${wide} pixels too wide`)
    // Sections are made by three templates: every twelfth is enough for axe, which takes half a minute for all.
    await page.evaluate('document.querySelectorAll("section").forEach((s, i) => i % 12 && s.remove())')
    await page.evaluate(axe.source)
    const found = await page.evaluate('axe.run(document, { resultTypes: ["violations"] })')
    for (const v of found.violations) console.log(at + `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200)).join(' / ')}`)
    await context.close()
  }
}
await browser.close()
