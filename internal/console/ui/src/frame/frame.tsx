import { useEffect, useId, useState, type KeyboardEvent } from 'react'

import { ask, initials, roleName, type House } from '../shared/api.js'
import { Logo, Pulse } from '../shared/icons.js'
import { ThemeButton } from '../shared/theme.js'

type Pair = [string, string]

/** Who is shown first: somebody who plans, and somebody whose appointments they are. */
const together: Pair = ['demo-ana', 'demo-laura']
const apart: Pair = ['demo-ana', 'demo-ines']

/** The pair is in the address, so that a reload or a link shows the same. */
const fromAddress = (): Pair => {
  const [left, right] = location.hash.slice(1).split(',')
  return left && right ? [left, right] : together
}

export function Frame() {
  const [houses, setHouses] = useState<House[] | null>(null)
  const [failed, setFailed] = useState('')
  const [pair, setPair] = useState<Pair>(fromAddress)
  const [shown, setShown] = useState<0 | 1>(0)
  const tabs = useId()

  useEffect(() => {
    ask<{ tenants: House[] }>('demo/people').then(
      ({ tenants }) => setHouses(tenants),
      (error: Error) => setFailed(error.message),
    )
  }, [])
  useEffect(() => {
    const changed = () => setPair(fromAddress())
    addEventListener('hashchange', changed)
    return () => removeEventListener('hashchange', changed)
  }, [])
  const choose = (next: Pair) => {
    setPair(next)
    history.replaceState(null, '', `#${next.join()}`)
  }

  if (failed) {
    return (
      <main className="message">
        <Logo />
        <h1>La demostración no está disponible</h1>
        <p>{failed}</p>
      </main>
    )
  }
  if (!houses) return <main className="message">Cargando…</main>

  const houseOf = (id: string) => houses.find((h) => h.people.some((p) => p.id === id))
  const personOf = (id: string) => houseOf(id)?.people.find((p) => p.id === id)
  const same = houseOf(pair[0])?.id === houseOf(pair[1])?.id
  const sides = [0, 1] as const
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return
    const next = shown === 0 ? 1 : 0
    setShown(next)
    document.getElementById(`${tabs}-tab-${next}`)?.focus()
  }

  return (
    <div className="frame">
      <header className="frame-head">
        <div className="brand">
          <Logo />
          <h1>
            CitaPlanner <span>Realtime</span>
          </h1>
        </div>
        <div className="modes" role="group" aria-label="Qué se muestra">
          <button type="button" aria-pressed={same} onClick={() => choose(together)}>
            Mismo salón
          </button>
          <button type="button" aria-pressed={!same} onClick={() => choose(apart)}>
            Dos negocios
          </button>
        </div>
        <p className="hint">
          {same
            ? 'Arrastra una cita en una ventana: se mueve también en la otra.'
            : 'Dos negocios aislados: nada de lo que pasa en uno llega al otro.'}
        </p>
        <nav className="links" aria-label="Páginas">
          <a className="button" href="operator?user=demo-elena">
            <Pulse /> <span>Operador</span>
          </a>
          <ThemeButton />
        </nav>
      </header>
      <main className="stage">
        <div className="tabs" role="tablist" aria-label="Ventanas" onKeyDown={onKey}>
          {sides.map((side) => (
            <button
              key={side}
              id={`${tabs}-tab-${side}`}
              type="button"
              role="tab"
              aria-selected={shown === side}
              aria-controls={`${tabs}-pane-${side}`}
              tabIndex={shown === side ? 0 : -1}
              onClick={() => setShown(side)}
            >
              <span className="avatar" aria-hidden>
                {initials(personOf(pair[side])?.name ?? '?')}
              </span>
              {personOf(pair[side])?.name.split(' ')[0]}
            </button>
          ))}
        </div>
        <div className="panes">
          {sides.map((side) => {
            const person = personOf(pair[side])
            const select = (id: string) => choose(side === 0 ? [id, pair[1]] : [pair[0], id])
            return (
              <section
                key={side}
                id={`${tabs}-pane-${side}`}
                className="pane"
                data-shown={shown === side}
                aria-label={`Ventana de ${person?.name ?? '…'}`}
              >
                <div className="pane-bar">
                  <span className="avatar" aria-hidden>
                    {initials(person?.name ?? '?')}
                  </span>
                  <label className="pane-who">
                    <span className="visually-hidden">Quién usa esta ventana</span>
                    <select value={pair[side]} onChange={(event) => select(event.target.value)}>
                      {houses.map((house) => (
                        <optgroup key={house.id} label={house.name}>
                          {house.people.map((p) => (
                            <option key={p.id} value={p.id}>
                              {p.name} · {roleName(p.role)}
                            </option>
                          ))}
                        </optgroup>
                      ))}
                    </select>
                  </label>
                  <span className="pane-house">{houseOf(pair[side])?.name}</span>
                </div>
                <iframe key={pair[side]} src={`pane?user=${encodeURIComponent(pair[side])}`} title={`Agenda de ${person?.name ?? '…'}`} />
              </section>
            )
          })}
        </div>
      </main>
    </div>
  )
}
