import { Moon, Sun } from './icons.js'
import { useSyncExternalStore } from 'react'

type Theme = 'light' | 'dark'

const key = 'citaplanner-console-theme'
const system = matchMedia('(prefers-color-scheme: dark)')
const listeners = new Set<() => void>()

function chosen(): Theme | null {
  try {
    const theme = localStorage.getItem(key)
    return theme === 'light' || theme === 'dark' ? theme : null
  } catch {
    return null // storage is forbidden: the system decides
  }
}

const theme = (): Theme => chosen() ?? (system.matches ? 'dark' : 'light')

function apply(): void {
  document.documentElement.dataset.theme = theme()
  listeners.forEach((listener) => listener())
}

// The choice of one page is that of all: the panes are pages of their own.
addEventListener('storage', apply)
system.addEventListener('change', apply)
apply()

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export const useTheme = () => useSyncExternalStore(subscribe, theme)

export function ThemeButton() {
  const other: Theme = useTheme() === 'dark' ? 'light' : 'dark'
  const change = () => {
    try {
      localStorage.setItem(key, other)
    } catch {
      return
    }
    apply()
  }
  return (
    <button type="button" className="icon-button" onClick={change} aria-label={other === 'dark' ? 'Tema oscuro' : 'Tema claro'}>
      {other === 'dark' ? <Moon /> : <Sun />}
    </button>
  )
}
