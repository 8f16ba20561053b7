/** Durations for log lines. */

/** Milliseconds as Go prints a duration (`5m0s`, `1.5s`, `250ms`), which is how CoreDNS's lines have them. */
export function durationText(milliseconds: number): string {
  if (milliseconds === 0) return '0s'
  const size = Math.abs(milliseconds)
  const sign = milliseconds < 0 ? '-' : ''
  if (size < 1e-3) return `${sign}${rounded(size * 1e6)}ns`
  if (size < 1) return `${sign}${rounded(size * 1e3)}µs`
  if (size < 1e3) return `${sign}${rounded(size)}ms`
  const minutes = Math.floor(size / 60_000)
  const seconds = `${rounded((size - minutes * 60_000) / 1e3)}s`
  if (minutes === 0) return `${sign}${seconds}`
  const hours = Math.floor(minutes / 60)
  return `${sign}${hours === 0 ? '' : `${hours}h`}${minutes % 60}m${seconds}`
}

/** Without the noise that binary fractions leave behind the ninth digit. */
function rounded(value: number): string {
  return String(Number(value.toFixed(9)))
}
