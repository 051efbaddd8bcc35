import type { InboxList, InboxStats, Preferences, PreferencesAnswer, PreferencesSavedAnswer } from '../contract.js'

/** A request that the server refused, or that did not reach it (status 0). */
export class RequestFailed extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }
}

/** The inbox routes, below url. With a token it is sent along; without one the session cookie is. */
export class Requests {
  constructor(
    readonly url: string,
    readonly token: string | undefined,
  ) {}

  list = (query: string): Promise<InboxList> => this.#ask('GET', `?${query}`)
  stats = (): Promise<InboxStats> => this.#ask('GET', '/stats')
  markRead = (id: string): Promise<unknown> => this.#ask('PATCH', `/${encodeURIComponent(id)}/read`)
  markAllRead = (): Promise<unknown> => this.#ask('POST', '', { action: 'read-all' })
  remove = (id: string): Promise<unknown> => this.#ask('DELETE', `/${encodeURIComponent(id)}`)
  preferences = async (): Promise<Preferences> => (await this.#ask<PreferencesAnswer>('GET', '/preferences')).preferences
  /** The whole row, as the app's own page sends it: whoever answers this route takes that. */
  savePreferences = async (row: Preferences): Promise<Preferences | undefined> =>
    (await this.#ask<PreferencesSavedAnswer>('PUT', '/preferences', row)).preferences

  async #ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const headers: Record<string, string> = {}
    if (body !== undefined) headers['Content-Type'] = 'application/json'
    if (this.token) headers.Authorization = `Bearer ${this.token}`
    let response: Response
    try {
      response = await fetch(`${this.url}/api/notifications${path}`, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        credentials: this.url ? 'include' : 'same-origin',
        cache: 'no-store',
      })
    } catch (error) {
      throw new RequestFailed(0, String(error))
    }
    if (!response.ok) throw new RequestFailed(response.status, await response.text().catch(() => ''))
    return (await response.json()) as T
  }
}
