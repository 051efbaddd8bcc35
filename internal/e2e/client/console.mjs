// Scenes of the console in a real Chromium. The name of the scene is the argument; APP is the server's address, SHOTS a folder
// for screenshots. A failed scene ends with exit code 1. Each page is held against axe, and against what its console says.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { check, launch, until } from './scene.mjs'

const { APP, SHOTS, COOKIE, BOTH, KEY } = process.env
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const desktop = { width: 1440, height: 900 }
const phone = { width: 390, height: 844 }

// The page of both comes from no network, so that Chromium would take the server for one of a network that is more private.
const browser = await launch(...(process.argv[2] === 'both' ? ['--disable-features=LocalNetworkAccessChecks'] : []))
const complaints = []

async function open(path, { viewport = desktop, colorScheme = 'light', cookie, files } = {}) {
  // axe's own script is no file of the console's: bypassCSP lets it in. Whether the policy holds is for the pages' errors to say,
  // in the scene that does without axe.
  const context = await browser.newContext({ viewport, colorScheme, reducedMotion: 'reduce', locale: 'es-MX', bypassCSP: path !== 'console/?policy' })
  if (cookie) await context.addCookies([{ name: 'next-auth.session-token', value: cookie, url: APP, httpOnly: true, sameSite: 'Lax' }])
  // A page that the server does not have, of the same origin: what a folder holds.
  if (files) await context.route(`${APP}/both/**`, (route) => route.fulfill({ path: files + new URL(route.request().url()).pathname.slice('/both'.length) }))
  const page = await context.newPage()
  page.setDefaultTimeout(45000)
  page.on('pageerror', (error) => complaints.push(`${path}: ${error}`))
  page.on('console', (message) => message.type() === 'error' && complaints.push(`${path}: ${message.text()}`))
  await page.goto(`${APP}/${path}`)
  return page
}

// accessible holds the page and each of its panes against axe.
async function accessible(page, what) {
  for (const frame of page.frames()) {
    if (frame.url() === 'about:blank') continue
    await frame.evaluate(axe)
    const { violations } = await frame.evaluate(() => axe.run({ resultTypes: ['violations'], iframes: false }))
    check(violations.length === 0, `${what}, ${frame.url()}: ` + JSON.stringify(violations.map((v) => [v.id, v.nodes.map((n) => n.html.slice(0, 200))]), null, 1))
  }
}

const shot = (page, name) => page.screenshot({ path: `${SHOTS}/${name}.png` })
const pane = (page, name) => page.frameLocator(`iframe[title="Agenda de ${name}"]`)
const ana = 'Ana Martínez Soto'
const laura = 'Laura Gómez Treviño'
const ines = 'Inés Lozano Rubio'
const visit = (frame, text) => frame.locator('.card', { hasText: text })

// ready waits until a window has its calendar and its connection; on a phone the other window has both, out of sight.
async function ready(frame, state = 'visible') {
  await frame.locator('.card').first().waitFor({ state })
  await frame.locator('.cpr-presence', { hasText: 'en línea' }).waitFor({ state })
}

// grab takes an appointment by the mouse, as a person does: where it stays, and nothing is before it, such as a form that closes.
async function grab(page, card) {
  await card.hover({ position: { x: 8, y: 8 } })
  const box = await card.boundingBox()
  await page.mouse.move(box.x + 8, box.y + 8)
  await page.mouse.down()
  return box
}

async function drag(page, card, dx, dy) {
  const box = await grab(page, card)
  await page.mouse.move(box.x + 8 + dx / 2, box.y + 8 + dy / 2, { steps: 4 })
  await page.mouse.move(box.x + 8 + dx, box.y + 8 + dy, { steps: 4 })
}

async function demo() {
  const page = await open('')
  check(page.url().startsWith(`${APP}/console/`), `/ leads to the console, not to ${page.url()}`)
  const [left, right] = [pane(page, ana), pane(page, laura)]
  await Promise.all([ready(left), ready(right)])
  await left.getByRole('button', { name: '2 personas en línea' }).waitFor()
  await left.getByText(`${laura} está mirando esta semana`).waitFor({ state: 'attached' })
  await right.getByText(`${ana} está mirando esta semana`).waitFor({ state: 'attached' })
  await accessible(page, 'the demo')
  await shot(page, 'demo-desktop-light')

  // While Ana drags, Laura sees who has the appointment; then it is where Ana put it, and Laura is told.
  const before = await visit(right, 'Carmen').first().textContent()
  await drag(page, visit(left, 'Carmen').first(), 0, 92)
  await right.locator('.card[data-edited]', { hasText: 'Carmen' }).getByText('Ana').waitFor()
  await shot(page, 'demo-desktop-dragging')
  await page.mouse.up()
  await right.locator('[data-sonner-toast]', { hasText: 'Cita reprogramada: Carmen Rodríguez Mora' }).waitFor() // first: it goes by itself
  await right.locator('.card', { hasText: 'Carmen' }).filter({ hasText: '12:00' }).first().waitFor()
  check(before.includes('10:00'), `the first appointment is at 10:00: ${before}`)
  await right.getByRole('button', { name: 'Notificaciones, 1 sin leer' }).waitFor()
  await right.locator('.pulsing', { hasText: 'ms' }).waitFor()

  // By keys: a day back and on, half an hour up; the focus goes along. It is sent when the keys rest.
  const card = visit(left, 'Luis').first()
  await card.focus()
  for (const key of ['Left', 'Right', 'Up', 'Up']) await page.keyboard.press(`Shift+Arrow${key}`)
  await right.locator('.card', { hasText: 'Luis' }).filter({ hasText: '12:00' }).waitFor()

  // Laura opens an appointment that Ana has open: both are told. Then Ana writes, and Laura sees it.
  await visit(left, 'Ximena').first().click()
  await left.getByRole('dialog').getByRole('heading', { name: 'Ximena Quiroz Lara' }).waitFor()
  await visit(right, 'Ximena').first().click()
  await right.getByText(/^Ana Martínez Soto está editando esta cita/).waitFor()
  await left.getByText(/^Laura Gómez Treviño está editando esta cita/).waitFor()
  await accessible(page, 'two forms')
  await shot(page, 'demo-desktop-editing')
  await right.getByRole('button', { name: 'Cerrar' }).click()
  await left.getByLabel('Hora').fill('16:30')
  await left.getByRole('button', { name: 'Guardar' }).click()
  await right.locator('.card', { hasText: 'Ximena' }).filter({ hasText: '16:30' }).waitFor()

  // To another day, in jumps that leave the appointment behind.
  const days = left.locator('.day')
  const there = await days.evaluateAll((all) => all.map((day) => day.textContent.includes('Luis')))
  const from = there.indexOf(true)
  const to = from < 3 ? from + 3 : from - 3
  const start = await grab(page, visit(left, 'Luis').first())
  const aim = await days.nth(to).boundingBox()
  await page.mouse.move((start.x + aim.x) / 2, start.y + 8)
  await page.mouse.move(aim.x + aim.width / 2, start.y + 8)
  await page.mouse.up()
  await right.locator('.day').nth(to).locator('.card', { hasText: 'Luis' }).waitFor()

  // A new one, within what is shown of a day, and its end.
  await left.getByRole('button', { name: 'Nueva cita' }).click()
  await left.getByLabel('Cliente').selectOption({ label: 'Tomás Escobedo Ruiz' })
  await left.getByLabel('Servicio').selectOption({ index: 2 })
  await left.getByLabel('Profesional').selectOption({ label: laura })
  await left.getByLabel('Hora').fill('23:00')
  await left.getByRole('button', { name: 'Crear cita' }).click()
  check(await left.getByLabel('Hora').evaluate((input) => input.validity.rangeOverflow), 'nothing is made where it would not be seen')
  await left.getByLabel('Hora').fill('14:00')
  await left.getByRole('button', { name: 'Crear cita' }).click()
  const made = right.locator('.card', { hasText: 'Tomás' }).filter({ hasText: '14:00' })
  await right.locator('[data-sonner-toast]', { hasText: 'Nueva cita: Tomás Escobedo Ruiz - Manicura' }).waitFor()
  await made.waitFor()
  await left.locator('.card', { hasText: 'Tomás' }).filter({ hasText: '14:00' }).click()
  await left.getByRole('button', { name: 'Cancelar cita' }).click()
  await left.getByRole('button', { name: '¿Seguro? Cancelar' }).click()
  await made.waitFor({ state: 'detached' })

  // The bell, the center and the preferences are the package's.
  await right.getByRole('button', { name: /^Notificaciones, \d sin leer$/ }).click()
  await shot(page, 'demo-desktop-bell')
  await right.getByRole('link', { name: 'Ver todas' }).click()
  await right.getByRole('heading', { name: 'Notificaciones' }).waitFor()
  await left.getByRole('link', { name: 'Preferencias' }).click()
  await left.getByRole('switch').first().waitFor()
  await accessible(page, 'center and preferences')
  await shot(page, 'demo-desktop-center-preferences')

  // Another business hears nothing of it.
  await page.getByRole('button', { name: 'Dos negocios' }).click()
  const other = pane(page, ines)
  await ready(other)
  await left.getByRole('link', { name: 'Agenda' }).click()
  await visit(left, 'Carmen').first().waitFor()
  const moved = visit(left, 'Carmen').first()
  await drag(page, moved, 0, 46)
  await page.mouse.up()
  await left.locator('.pulsing', { hasText: 'appointment:rescheduled' }).waitFor()
  check((await other.locator('.card', { hasText: 'Carmen' }).count()) === 0, 'the other business shows no appointment of the first')
  check((await other.locator('.pulsing').textContent()) === 'Sin eventos todavía', 'the other business hears nothing')
  await shot(page, 'demo-desktop-isolated')
  await page.close()

  const dark = await open('console/', { colorScheme: 'dark' })
  await Promise.all([ready(pane(dark, ana)), ready(pane(dark, laura))])
  await accessible(dark, 'the demo, dark')
  await shot(dark, 'demo-desktop-dark')
  await dark.getByRole('button', { name: 'Tema claro' }).click()
  await pane(dark, laura).locator('html[data-theme="light"]').waitFor() // the panes follow
  await dark.close()
}

async function small() {
  for (const colorScheme of ['light', 'dark']) {
    const page = await open('', { viewport: phone, colorScheme })
    await Promise.all([ready(pane(page, ana)), ready(pane(page, laura), 'attached')])
    await accessible(page, `the demo on a phone, ${colorScheme}`)
    await shot(page, `demo-phone-${colorScheme}`)
    await visit(pane(page, ana), 'Carmen').first().click()
    await pane(page, ana).getByRole('dialog').waitFor()
    await shot(page, `demo-phone-${colorScheme}-form`)
    await page.keyboard.press('Escape')
    await page.getByRole('tab', { name: 'Laura' }).click()
    await pane(page, laura).getByRole('link', { name: 'Preferencias' }).click()
    await shot(page, `demo-phone-${colorScheme}-other`)
    await accessible(page, `the other window on a phone, ${colorScheme}`)
    await page.close()

    const operator = await open('console/operator?user=demo-elena', { viewport: phone, colorScheme })
    await operator.getByText('En vivo').waitFor()
    await operator.getByRole('button', { name: 'appointments/created' }).click()
    await operator.locator('.events summary').first().waitFor()
    await accessible(operator, `the operator's page on a phone, ${colorScheme}`)
    const rest = () => document.documentElement.scrollHeight - scrollY - document.querySelector('.wire').getBoundingClientRect().bottom
    for (let n = 0; n < 3; n++) await operator.getByRole('button', { name: 'system/alert' }).click()
    await operator.locator('.events li').nth(12).waitFor({ state: 'attached' })
    check((await operator.evaluate(rest)) < 60, 'the page ends with its last box')
    await operator.screenshot({ path: `${SHOTS}/operator-phone-${colorScheme}.png`, fullPage: true })
    await operator.close()
  }
}

async function operator() {
  const page = await open('console/operator?user=demo-elena')
  await page.getByText('En vivo').waitFor() // it shows what happens while it looks
  const demo = await open('console/')
  await Promise.all([ready(pane(demo, ana)), ready(pane(demo, laura))])
  await page.getByRole('row', { name: /^demo-aurora 3 3$/ }).waitFor() // Ana, Laura, and the page's own Elena

  // What the windows said is there, too.
  await page.locator('.events summary', { hasText: 'calendar:viewing' }).locator('[data-way="in"]').first().waitFor()

  // Each button emits its event: it is on the wire, and the windows show it.
  const kinds = await page.locator('.kind').allTextContents()
  check(kinds.length === 13, `13 kinds of events, not ${kinds.length}`)
  const told = pane(demo, laura).locator('[data-sonner-toast]').first().waitFor() // from now on: toasts go by themselves
  told.catch(() => {}) // is awaited below
  for (const kind of kinds) {
    await page.getByRole('button', { name: kind, exact: true }).click()
    await page.getByText(/^\d+ sockets?, \d+ notificaci\S+, \d+ ms/).waitFor()
  }
  for (const event of ['appointment:created', 'appointment:deleted', 'schedule:conflict', 'system:alert', 'notification:new', 'commission:earned']) {
    await page.locator('.events code', { hasText: event }).first().waitFor()
  }
  await told
  await page.locator('.figure', { hasText: 'Emisión' }).getByText(/p95 [\d,.]+ ms/).waitFor()
  await page.getByLabel('Filtrar eventos').fill('rescheduled')
  await page.locator('.events summary').filter({ hasNotText: 'rescheduled' }).first().waitFor({ state: 'detached' })
  await page.locator('.events summary').first().click()
  await page.getByText('"rescheduledBy"').first().waitFor()
  await page.waitForFunction(() => document.querySelectorAll('.spark polyline').length >= 3)
  await accessible(page, "the operator's page")
  await shot(page, 'operator-desktop-light')
  await page.getByRole('button', { name: 'Tema oscuro' }).click()
  await page.getByLabel('Filtrar eventos').fill('')
  await accessible(page, "the operator's page, dark")
  await shot(page, 'operator-desktop-dark')

  // An administrator sees the own business alone.
  const strict = await open('console/operator?user=demo-marta')
  await strict.getByText('En vivo').waitFor()
  await page.getByRole('button', { name: 'system/alert' }).click()
  await strict.getByRole('button', { name: 'system/alert' }).click()
  await strict.locator('.events code', { hasText: 'system:alert' }).first().waitFor()
  check(!(await strict.locator('main').textContent()).includes('aurora'), "Mirasol's administrator sees nothing of Aurora")
}

// policy is the console under its own Content-Security-Policy.
async function policy() {
  const page = await open('console/?policy')
  await Promise.all([ready(pane(page, ana)), ready(pane(page, laura))])
}

// production is the operator's page of a production server, with the session cookie that NextAuth made.
async function production() {
  const page = await open('console/', { cookie: COOKIE })
  await page.getByText('En vivo').waitFor()
  await page.getByRole('row', { name: /^tenant-a \d \d$/ }).waitFor()
  check((await page.getByText('tenant-b').count()) === 0, 'another tenant is not shown')
  await page.getByRole('button', { name: 'system/alert' }).click() // chooses it, and emits nothing yet
  await page.getByLabel('Cuerpo de system/alert').waitFor()
  check((await page.locator('.emit-foot p').textContent()) === '', 'nothing was emitted by choosing')
  await page.getByRole('button', { name: 'Emitir', exact: true }).click()
  await page.locator('.events code', { hasText: 'system:alert' }).first().waitFor()
  await accessible(page, "production's page")
  await shot(page, 'operator-production')
}

// both is a page with the components in use (contract/frontend.md) beside the package's: each works, and each sees what the other does.
async function both() {
  const page = await open('both/both.html', { cookie: COOKIE, files: BOTH })
  const authorization = { Authorization: `Bearer ${KEY}` }
  const emit = async (kind, body) => {
    const answer = await fetch(`${APP}/api/emit/${kind}`, { method: 'POST', headers: { ...authorization, 'Content-Type': 'application/json' }, body: JSON.stringify(body) })
    check(answer.status === 202, `emit ${kind}: ${answer.status}`)
  }
  const sockets = async () => (await (await fetch(`${APP}/api/socket/stats`, { headers: authorization })).json()).tenants['tenant-a']?.count
  await page.getByRole('button', { name: '1 persona en línea' }).waitFor()
  await until('one socket of ours, one of each old component', async () => (await sockets()) === 3)

  const loads = async () => Number(await page.getByLabel('agenda nueva').textContent())
  const before = await loads()
  await emit('appointments/created', { appointmentId: 'a-appointment', tenantId: 'tenant-a', actorId: 'a-admin' })
  const message = 'Nueva cita: Carla Cliente - Corte A'
  const old = page.getByRole('list', { name: 'vieja', exact: true })
  const toast = page.locator('[data-sonner-toast]', { hasText: message })
  await toast.waitFor()
  await toast.hover() // it stays as long as the mouse is over it
  await old.getByText(`${message} sin leer`).waitFor()
  await page.getByRole('button', { name: 'Notificaciones, 1 sin leer' }).waitFor()
  await page.getByLabel('agenda vieja').getByText('1', { exact: true }).waitFor()
  await until('our calendar to load anew', async () => (await loads()) > before)
  check((await page.locator('[data-sonner-toast]').count()) === 1, 'an event and its notification are one toast')

  await old.getByRole('button', { name: `vieja: ${message}` }).click() // read in the old one
  await page.getByRole('button', { name: 'Notificaciones', exact: true }).waitFor()
  await emit('calendar/refresh', { tenantId: 'tenant-a', reason: 'import' })
  await page.getByLabel('agenda vieja').getByText('2', { exact: true }).waitFor() // by the DOM event that ours passes on
  await emit('notification', { tenantId: 'tenant-a', userId: 'a-professional', type: 'payment:received', message: 'Pago recibido' })
  await page.getByRole('button', { name: 'Marcar como leída: Pago recibido' }).click() // read in ours
  await old.getByText('Pago recibido leída').waitFor()
  await shot(page, 'both')
}

let code = 0
try {
  await { demo, small, operator, policy, production, both }[process.argv[2]]()
  check(complaints.length === 0, `the pages complained:\n${complaints.join('\n')}`)
} catch (error) {
  code = 1
  console.error(error, complaints)
  for (const [n, page] of browser.contexts().flatMap((c) => c.pages()).entries()) await shot(page, `failed-${process.argv[2]}-${n}`).catch(() => {})
}
await browser.close()
process.exit(code)
