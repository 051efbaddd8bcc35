/**
 * Tells the server of something that was committed. It never fails the caller's request: the appointment is stored,
 * whether or not anybody hears of it at once.
 */
export async function emit(kind: string, body: object, idempotencyKey: string): Promise<void> {
  try {
    const answer = await fetch(`${process.env.REALTIME_URL}/api/emit/${kind}`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${process.env.REALTIME_API_KEY}`,
        'Content-Type': 'application/json',
        'Idempotency-Key': idempotencyKey,
      },
      body: JSON.stringify(body),
      cache: 'no-store',
      signal: AbortSignal.timeout(5000),
    })
    if (!answer.ok) console.error(`emit ${kind}: ${answer.status} ${await answer.text()}`)
  } catch (error) {
    console.error(`emit ${kind}:`, error)
  }
}
