/** What goes on until somebody ends it. */
import type { Logger } from '../observe/logger.ts'
import { Exit } from './command.ts'
import type { Shell, Signal } from './shell.ts'

/**
 * Runs it with a signal that aborts at the first SIGINT or SIGTERM, which `ending` is logged of; a second one ends the process. Resolves to
 * the exit code when it has ended, also where it rejects because of the signal.
 */
export async function untilSignal(
  shell: Shell,
  log: Logger,
  ending: string,
  run: (signal: AbortSignal) => Promise<void>,
): Promise<number> {
  const ended = new AbortController()
  const end = (signal: Signal) => {
    if (ended.signal.aborted) return shell.exit(Exit.failed)
    log.info(`${signal}: ${ending}`)
    ended.abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) shell.signals.on(signal, end)
  // Timers of the clock keep no process alive, and there may be nothing else.
  const alive = setInterval(() => undefined, 2 ** 30)
  try {
    await run(ended.signal)
    return Exit.done
  } catch (error) {
    if (ended.signal.aborted && error === ended.signal.reason) return Exit.done
    throw error
  } finally {
    ended.abort()
    clearInterval(alive)
    for (const signal of ['SIGINT', 'SIGTERM'] as const) shell.signals.off(signal, end)
  }
}
