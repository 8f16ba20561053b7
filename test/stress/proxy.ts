/** 10,000 connections through the proxy for each of some seeds, while backends come and go; says what came of them. */
import { churn } from '../routes/proxy/churn.ts'

const [connections = 10_000, seeds = 3] = process.argv.slice(2).map(Number)

for (let seed = 1; seed <= seeds; seed++) {
  for (const speaksFirst of [false, true]) {
    const report = await churn({ connections, seed, speaksFirst })
    const { failures, turnedAway, changes, retries, tookMs, slowestMs } = report
    const parts = [
      `seed ${seed}, ${speaksFirst ? 'clients that speak first' : 'clients that are greeted'}`,
      `${connections} connections in ${(tookMs / 1000).toFixed(1)} s`,
      `${turnedAway} turned away`,
      `${failures.length} failed`,
      Object.entries(changes)
        .map(([kind, count]) => `${count} × ${kind}`)
        .join(', '),
      `${retries} attempts in vain`,
      `the slowest answer took ${slowestMs.toFixed(0)} ms`,
    ]
    process.stdout.write(
      `${parts.join('; ')}\n${failures
        .slice(0, 5)
        .map(failure => `  ${failure}\n`)
        .join('')}`,
    )
    if (turnedAway > 0 || (failures.length > 0 && !speaksFirst)) process.exitCode = 1
  }
}
