import type { Priority } from '../contract.js'

// Two short tones, higher and once more the more urgent: made here, so that no file has to be served.
const tones: Record<Priority, number[]> = {
  low: [523],
  medium: [523, 659],
  high: [659, 880],
  urgent: [880, 660, 880, 660],
}
const apart = 1000 // milliseconds: a burst of notifications sounds once

let audio: AudioContext | undefined
let last = -Infinity

/** Plays the sound of a priority, where the browser lets a page sound: not before the user has clicked or typed in it. */
export function playSound(priority: Priority): void {
  if (typeof AudioContext === 'undefined' || Date.now() - last < apart) return
  last = Date.now()
  try {
    audio ??= new AudioContext()
    if (audio.state === 'suspended') void audio.resume().catch(() => {})
    const start = audio.currentTime
    ;(tones[priority] ?? tones.medium).forEach((frequency, i) => tone(audio!, frequency, start + i * 0.14))
  } catch {
    // A device without sound.
  }
}

function tone(context: AudioContext, frequency: number, at: number): void {
  const oscillator = context.createOscillator()
  const gain = context.createGain()
  oscillator.frequency.value = frequency
  gain.gain.setValueAtTime(0.0001, at)
  gain.gain.exponentialRampToValueAtTime(0.12, at + 0.02)
  gain.gain.exponentialRampToValueAtTime(0.0001, at + 0.13)
  oscillator.connect(gain).connect(context.destination)
  oscillator.start(at)
  oscillator.stop(at + 0.14)
}
