// Scenes in a real Chromium. The name of the scene is the argument; APP is the page's address, REALTIME the server's own
// (without the delay), KEY its API key, SHOTS a folder for screenshots. What only the test can do it is asked for: a line
// {"ask": "…"} on standard output, answered by a line on standard input. A failed scene ends with exit code 1.
import { createInterface } from 'node:readline'
import { check, launch, until } from './scene.mjs'

const { APP, REALTIME, KEY, SHOTS, LOADS } = process.env
const tenant = 'demo-aurora'
const today = new Date().toISOString().slice(0, 10) // all pages look at this day, also where midnight comes in between
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

const browser = await launch()

async function ask(what) {
  console.log(JSON.stringify({ ask: what }))
  await lines.next()
}

async function emit(kind, body) {
  const answer = await fetch(`${REALTIME}/api/emit/${kind}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${KEY}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })
  const said = await answer.text()
  check(answer.status === 202, `emit ${kind}: ${answer.status} ${said}`)
  return JSON.parse(said)
}

async function stats() {
  return (await fetch(`${REALTIME}/api/socket/stats`, { headers: { Authorization: `Bearer ${KEY}` } })).json()
}

// signIn opens a browser of its own and signs in on NextAuth's way. Nothing moves in it: drawing costs two cores dearly.
async function signIn(user, viewport = { width: 1280, height: 800 }) {
  const context = await browser.newContext({ viewport, reducedMotion: 'reduce' })
  const page = await context.newPage()
  page.setDefaultTimeout(60000)
  await page.goto(`${APP}/login`)
  await page.getByLabel('Correo').fill(`${user}@demo.citaplanner.example`)
  await page.getByLabel('Contraseña').fill('demo1234')
  const upgraded = page.waitForEvent('websocket', (ws) => ws.url().includes('/api/socket'))
  await page.getByRole('button', { name: 'Entrar' }).click()
  await agenda(page)
  await upgraded
  return page
}

// agenda waits for the calendar and shows the day in it.
async function agenda(page) {
  await page.getByRole('heading', { name: 'Agenda' }).waitFor()
  await page.locator('input[type="date"]').fill(today)
}

const toast = (page, text) => page.locator('[data-sonner-toast]', { hasText: text }).first()
const badge = (page, n) => page.getByRole('button', { name: `Notificaciones, ${n} sin leer` })
const shot = (page, name) => page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true })
const unread = (page) => page.evaluate(async () => (await (await fetch('/api/notifications/stats')).json()).unreadCount)

async function create(page, service) {
  await page.getByLabel('Cliente').selectOption({ label: 'Luis Fernández Ayala' })
  await page.getByLabel('Servicio').selectOption({ label: service })
  await page.getByLabel('Profesional').selectOption({ label: 'Laura Gómez Treviño' })
  await page.getByRole('button', { name: 'Crear cita' }).click()
}

async function whole() {
  const laura = await signIn('demo-laura')
  const patricia = await signIn('demo-patricia', { width: 390, height: 844 })
  const stranger = await signIn('demo-ines')
  const cookies = (await laura.context().cookies()).filter((c) => c.name.includes('session-token'))
  check(cookies.length > 0 && cookies.every((c) => c.httpOnly), 'the session is in an HttpOnly cookie')
  await badge(laura, 0).waitFor()
  const before = await laura.getByLabel('Citas del día').getByRole('listitem').count()

  // Another browser creates an appointment: a toast, the bell, the calendar, the center.
  await create(patricia, 'Manicura')
  await toast(laura, 'Nueva cita: Luis Fernández Ayala - Manicura').waitFor()
  // For the picture alone: it stays while the mouse is over it, and on a busy machine may be gone by now.
  await laura.locator('[data-sonner-toast][data-mounted="true"]').first().hover({ timeout: 5000 }).catch(() => {})
  await shot(laura, 'toast-desktop')
  await badge(laura, 1).waitFor()
  await laura.getByLabel('Citas del día').getByRole('listitem').nth(before).waitFor()
  await patricia.getByLabel('Citas del día').getByRole('listitem').nth(before).waitFor()
  await shot(patricia, 'calendar-phone')

  await create(patricia, 'Tinte completo')
  await badge(laura, 2).waitFor()
  await badge(laura, 2).click()
  await shot(laura, 'bell-desktop')
  await laura.getByRole('button', { name: 'Marcar como leída' }).first().click()
  await badge(laura, 1).waitFor()
  await until('the server to know what was read', async () => (await unread(laura)) === 1)

  // What was read and deleted stays so over a reload.
  await laura.goto(`${APP}/notifications`)
  const rows = laura.getByLabel('Lista de notificaciones').getByRole('listitem')
  await rows.nth(1).waitFor()
  check((await rows.count()) === 2, 'the center lists both')
  await shot(laura, 'center-desktop')
  await badge(laura, 1).waitFor()
  const deleted = laura.waitForResponse((r) => r.request().method() === 'DELETE' && r.ok())
  await rows.nth(0).getByRole('button', { name: 'Eliminar' }).click()
  await deleted
  await laura.reload()
  await rows.nth(0).waitFor()
  check((await rows.count()) === 1, 'what was deleted is gone')
  await badge(laura, 1).waitFor()

  // A preference that is off silences the next one; the calendar still hears of it.
  await laura.goto(`${APP}/preferences`)
  await laura.getByLabel('Citas nuevas').uncheck()
  await laura.getByRole('button', { name: 'Guardar' }).click()
  await laura.getByText('Preferencias guardadas').waitFor()
  await shot(laura, 'preferences-desktop')
  await laura.goto(`${APP}/dashboard`)
  await agenda(laura)
  await laura.getByLabel('Citas del día').getByRole('listitem').nth(before + 1).waitFor()
  await badge(laura, 1).waitFor()
  await create(patricia, 'Corte y peinado')
  await laura.getByLabel('Citas del día').getByRole('listitem').nth(before + 2).waitFor()
  await emit('notification', { tenantId: tenant, userId: 'demo-laura', type: 'payment:received', message: 'Pago recibido' })
  await toast(laura, 'Pago recibido').waitFor() // it came behind the silenced one
  check((await toast(laura, 'Corte y peinado').count()) === 0, 'the preference silences the toast')
  await badge(laura, 2).waitFor()

  // The server is restarted: the page recovers by itself.
  const stopped = Date.now()
  await ask('restart the server')
  if (Date.now() - stopped > 8000) {
    // The hook tries five times, for 8 s at least (contract/frontend.md): after that it is for a person to load the page again.
    await Promise.all([laura.reload(), patricia.reload()])
    await laura.locator('[data-count]:not([data-count="0"])').waitFor()
  }
  await until('all sockets of both pages to be back', async () => (await stats()).tenants[tenant]?.count === 8)
  await emit('notification', { tenantId: tenant, userId: 'demo-laura', type: 'payment:received', message: 'Tras el reinicio' })
  await toast(laura, 'Tras el reinicio').waitFor()

  // Next.js stops: new pages say so, sockets stay.
  await ask('stop Next.js')
  const page = await laura.context().newPage()
  const answer = await page.goto(`${APP}/dashboard`)
  check(answer.status() === 502, `502 while Next.js is down, not ${answer.status()}`)
  await page.getByText('La aplicación no responde').first().waitFor()
  await shot(page, 'next-down')
  await emit('notification', { tenantId: tenant, userId: 'demo-laura', type: 'payment:received', message: 'Sin Next.js' })
  await toast(laura, 'Sin Next.js').waitFor()
  check((await stranger.locator('[data-sonner-toast]').count()) === 0, 'the other tenant sees nothing')
  await badge(stranger, 0).waitFor()
}

// loads counts the page loads that showed the first toast. The event goes out when the list has been rendered: whoever
// is not listening by then hears of it only through the bell, too late for a toast. Each load fetches all of the page anew;
// a browser of its own for each would be a process of its own, too, and twice the work.
async function loads() {
  const users = ['demo-ana', 'demo-jorge', 'demo-miguel', 'demo-veronica', 'demo-laura']
  let shown = 0
  const missed = []
  await Promise.all(
    users.map(async (user) => {
      await emit('notification', { tenantId: tenant, userId: user, type: 'payment:received', message: 'Algo que listar' })
      const page = await signIn(user)
      await (await page.context().newCDPSession(page)).send('Network.setCacheDisabled', { cacheDisabled: true })
      for (let n = 0; n < Number(LOADS) / users.length; n++) {
        await page.goto(`${APP}/dashboard`)
        await page.locator('[data-count]:not([data-count="0"])').waitFor()
        const message = `Carga ${n} de ${user}`
        await emit('notification', { tenantId: tenant, userId: user, type: 'payment:received', message })
        try {
          await toast(page, message).waitFor({ timeout: 30000 })
          shown++
        } catch {
          missed.push(message)
        }
      }
    }),
  )
  console.log(JSON.stringify({ shown, missed }))
}

let code = 0
try {
  await { whole, loads }[process.argv[2]]()
} catch (error) {
  code = 1
  console.error(error)
  for (const context of browser.contexts()) {
    for (const [i, page] of context.pages().entries()) await shot(page, `failed-${browser.contexts().indexOf(context)}-${i}`).catch(() => {})
  }
}
await browser.close()
process.exit(code)
