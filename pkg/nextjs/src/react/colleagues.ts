import type { CalendarViewing, PresentUser, ServerToClientEvents } from '../contract.js'

/** Who is here, who edits what and who looks at what, as far as this page was told. */
export interface Colleagues {
  /** By user id, the signed-in user included. */
  users: Readonly<Record<string, PresentUser & { email?: string }>>
  /** By appointment id: who edits it, this socket left out. `since` is known where the server said it. */
  editing: Readonly<Record<string, readonly { userId: string; since?: string }[]>>
  /** By user id. */
  viewing: Readonly<Record<string, CalendarViewing>>
}

export const nobody: Colleagues = { users: {}, editing: {}, viewing: {} }

/** What is known once the connection is lost: what others do meanwhile is not told again, who is there is. */
export const cutOff = ({ users }: Colleagues): Colleagues => ({ users, editing: {}, viewing: {} })

type Told = {
  [E in keyof ServerToClientEvents]?: (known: Colleagues, payload: Parameters<ServerToClientEvents[E]>[0]) => Colleagues
}

const told: Told = {
  'presence:state': (known, { users }) => ({
    ...known,
    users: Object.fromEntries(users.map((user) => [user.userId, { ...known.users[user.userId], ...user }])),
  }),
  'user:online': (known, { userId, email, timestamp }) => withUser(known, { userId, email, status: 'online', since: timestamp }),
  'user:presence': (known, { userId, status, timestamp }) =>
    withUser(known, { ...known.users[userId], userId, status, since: timestamp }),
  'user:offline': (known, { userId }) => ({
    users: without(known.users, userId),
    viewing: without(known.viewing, userId),
    editing: Object.fromEntries(
      Object.entries(known.editing).map(([id, editors]) => [id, editors.filter((e) => e.userId !== userId)]),
    ),
  }),
  'user:viewing:calendar': (known, { userId, date, viewType }) => ({
    ...known,
    viewing: { ...known.viewing, [userId]: { date, viewType } },
  }),
  'appointment:editing:started': (known, { userId, appointmentId }) =>
    withEditor(known, appointmentId, { userId, since: new Date().toISOString() }),
  'appointment:editing:conflict': (known, { userId, appointmentId, since }) =>
    withEditor(known, appointmentId, { userId, since }),
  'appointment:editing:stopped': (known, { userId, appointmentId }) => {
    const left = known.editing[appointmentId]?.filter((e) => e.userId !== userId) ?? []
    return {
      ...known,
      editing: left.length ? { ...known.editing, [appointmentId]: left } : without(known.editing, appointmentId),
    }
  },
}

/** What is known after an event; the same object where the event says nothing about colleagues. */
export function learn(known: Colleagues, event: string, payload: unknown): Colleagues {
  const rule = told[event as keyof Told] as ((known: Colleagues, payload: unknown) => Colleagues) | undefined
  return rule && payload ? rule(known, payload) : known
}

function withUser(known: Colleagues, user: PresentUser & { email?: string }): Colleagues {
  return { ...known, users: { ...known.users, [user.userId]: user } }
}

function withEditor(known: Colleagues, id: string, editor: { userId: string; since?: string }): Colleagues {
  const others = known.editing[id]?.filter((e) => e.userId !== editor.userId) ?? []
  return { ...known, editing: { ...known.editing, [id]: [...others, editor] } }
}

function without<T>(record: Readonly<Record<string, T>>, key: string): Record<string, T> {
  const { [key]: _, ...rest } = record
  return rest
}
