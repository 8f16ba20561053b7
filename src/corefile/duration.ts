/**
 * Durations as Go writes them (`1h30m`, `500ms`, `1.5s`), which is how Corefiles do.
 */

const milliseconds: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

const part = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/uy

/** Milliseconds (may have a fraction, may be negative); undefined when the text is not a duration as Go's time.ParseDuration has it. */
export function parseDuration(text: string): number | undefined {
  const sign = /^[-+]/.exec(text)?.[0] ?? ''
  if (text === `${sign}0`) return 0
  let total = 0
  part.lastIndex = sign.length
  if (part.lastIndex === text.length) return undefined
  while (part.lastIndex < text.length) {
    const match = part.exec(text)
    if (match === null) return undefined
    total += Number(match[1]) * milliseconds[match[2]!]!
  }
  return sign === '-' ? -total : total
}
