'use client'

import { signIn } from 'next-auth/react'
import { useState } from 'react'

export default function Login() {
  const [problem, setProblem] = useState('')

  async function enter(form: FormData) {
    const answer = await signIn('credentials', { ...Object.fromEntries(form), redirect: false })
    if (answer?.ok) window.location.assign('/dashboard')
    else setProblem('Correo o contraseña incorrectos')
  }

  return (
    <main className="login">
      <h1>CitaPlanner</h1>
      <form
        onSubmit={(e) => {
          e.preventDefault()
          enter(new FormData(e.currentTarget))
        }}
      >
        <label>
          Correo
          <input name="email" type="email" autoComplete="username" required />
        </label>
        <label>
          Contraseña
          <input name="password" type="password" autoComplete="current-password" required />
        </label>
        <button type="submit">Entrar</button>
        {problem && <p role="alert">{problem}</p>}
      </form>
    </main>
  )
}
