import { RealtimeProvider, useSocket } from '@citaplanner/realtime/react'

import { roleName } from '../shared/api.js'
import { Logo } from '../shared/icons.js'
import { SignedIn } from '../shared/signed-in.js'
import { ThemeButton } from '../shared/theme.js'
import { Emitting } from './emitting.js'
import { quantile, rates, useLive, type Live } from './snapshot.js'
import { Wire } from './wire.js'

/** With the demo a user is signed in; in production the session cookie says who looks. */
export function Operator({ userId }: { userId: string | null }) {
  if (!userId) {
    return (
      <RealtimeProvider>
        <Page token={undefined} />
      </RealtimeProvider>
    )
  }
  return (
    <SignedIn userId={userId}>
      {(session, renew) => (
        <RealtimeProvider token={session.token} refreshSession={renew}>
          <Page token={session.token} />
        </RealtimeProvider>
      )}
    </SignedIn>
  )
}

function Page({ token }: { token: string | undefined }) {
  const live = useLive(token)
  const { connection } = useSocket()
  const { now, failed } = live
  if (!now) {
    return (
      <main className="message" role="status">
        <Logo />
        {failed ? <p>{failed.message}</p> : <p>Cargando…</p>}
        {failed?.status === 401 && <p>Inicia sesión en CitaPlanner como administrador y vuelve a cargar esta página.</p>}
      </main>
    )
  }
  return (
    <div className="operator">
      <header className="operator-head">
        <Logo />
        <div>
          <h1>Operador</h1>
          <p>
            {now.me.name} · {roleName(now.me.role)} · {now.all ? 'todos los negocios' : now.me.tenantId}
          </p>
        </div>
        <span className="state" role="status" data-off={failed || connection !== 'connected' ? true : undefined}>
          {failed ? 'El servidor no responde' : connection === 'connected' ? 'En vivo' : 'Conectando…'}
        </span>
        {now.demo && (
          <a className="button" href="./">
            Demostración
          </a>
        )}
        <ThemeButton />
      </header>
      <main className="operator-main">
        <Figures live={live} />
        <div className="operator-columns">
          <div className="operator-side">
            <Tenants live={live} />
            <Emitting now={now} token={token} />
          </div>
          <Wire events={live.events} all={now.all} />
        </div>
      </main>
    </div>
  )
}

const number = new Intl.NumberFormat('es', { maximumFractionDigits: 1 })
const ms = (n: number | null) => (n === null ? '—' : `${number.format(n)} ms`)
const recent = (all: number[]) => all.slice(-5).reduce((sum, n) => sum + n, 0) / Math.max(1, Math.min(5, all.length))

function Figures({ live }: { live: Live }) {
  const { moments, now } = live
  const sent = rates(moments, (m) => m.sent)
  const deliveries = rates(moments, (m) => m.deliveries)
  const received = rates(moments, (m) => m.received)
  return (
    <section className="figures" aria-label="Ahora">
      <Figure label="Conexiones" value={number.format(now?.sockets ?? 0)} hint="sockets abiertos" series={moments.map((m) => m.sockets)} />
      <Figure label="Eventos enviados" value={`${number.format(recent(sent))}/s`} hint={`${number.format(recent(received))}/s recibidos`} series={sent} />
      <Figure label="Entregas" value={`${number.format(recent(deliveries))}/s`} hint="un evento, un socket" series={deliveries} />
      <Figure
        label="Emisión"
        value={ms(quantile(moments, 'emit', 0.5))}
        hint={`p95 ${ms(quantile(moments, 'emit', 0.95))}, último minuto`}
      />
      <Figure
        label="Ida y vuelta"
        value={ms(moments.at(-1)?.trip ?? null)}
        hint={`inicio de sesión p95 ${ms(quantile(moments, 'signIn', 0.95))}`}
        series={moments.map((m) => m.trip)}
      />
    </section>
  )
}

interface FigureProps {
  label: string
  value: string
  hint: string
  series?: number[]
}

function Figure({ label, value, hint, series = [] }: FigureProps) {
  return (
    <div className="figure">
      <h2>{label}</h2>
      <strong>{value}</strong>
      <span>{hint}</span>
      <Spark series={series} />
    </div>
  )
}

/** The last minute as a line; it says nothing that the number beside it does not. */
function Spark({ series }: { series: number[] }) {
  const top = Math.max(...series, 1)
  const points = series.map((n, i) => `${(100 * (60 - series.length + i)) / 59},${30 - (26 * n) / top}`)
  return (
    <svg className="spark" viewBox="0 0 100 32" preserveAspectRatio="none" aria-hidden>
      {points.length > 1 && <polyline points={points.join(' ')} />}
    </svg>
  )
}

function Tenants({ live }: { live: Live }) {
  const tenants = Object.entries(live.now?.tenants ?? {}).sort((a, b) => b[1].count - a[1].count || a[0].localeCompare(b[0]))
  return (
    <section className="box" aria-labelledby="tenants">
      <h2 id="tenants">Conexiones por negocio</h2>
      {tenants.length === 0 ? (
        <p className="empty">Nadie está conectado.</p>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">Negocio</th>
              <th scope="col">Usuarios</th>
              <th scope="col">Sockets</th>
            </tr>
          </thead>
          <tbody>
            {tenants.slice(0, 50).map(([id, { count, users }]) => (
              <tr key={id}>
                <th scope="row" title={users.slice(0, 20).join(', ')}>
                  {id}
                </th>
                <td>{users.length}</td>
                <td>{count}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}
