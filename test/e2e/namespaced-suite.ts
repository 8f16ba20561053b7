/** What the programs that test in a network namespace of their own have in common: how they begin, how they end, and when they are skipped. */
import { exitOnSignals } from './background.ts'
import { inNamespace, isInside } from './routes/namespace.ts'

export type Say = (line: string) => void

/** Prints a line. */
export const say: Say = line => {
  process.stdout.write(`${line}\n`)
}

export interface Totals {
  readonly passed: number
  readonly failed: number
  readonly skipped?: number
}

export interface NamespacedSuite {
  /** What to print instead of testing; undefined where it was not asked for. */
  readonly help: string | undefined
  /** Why it cannot be run here; undefined where it can. Asked in the first namespace, where nothing else is done. */
  obstacle(): Promise<string | undefined>
  /** Runs in a namespace that was made for it. */
  test(): Promise<Totals>
}

/** Runs it and ends the process. The last line says `N passed, N failed`. */
export async function runNamespaced({ help, obstacle, test }: NamespacedSuite): Promise<never> {
  if (help !== undefined) {
    say(help)
    process.exit(0)
  }
  if (isInside()) {
    exitOnSignals()
    const { passed, failed, skipped = 0 } = await test()
    say(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
    process.exit(failed === 0 ? 0 : 1)
  }
  const reason = await obstacle()
  if (reason === undefined) process.exit(await inNamespace())
  say(`skipped: ${reason}`)
  say('0 passed, 0 failed, 1 skipped')
  process.exit(0)
}
