/**
 * What a command sees of the outside: its streams, environment, signals and the plugins there are. Commands touch nothing else
 * of the process, so that they run in tests as they do for a person.
 */
import type { Environment } from '../corefile/lexer.ts'
import type { Clock, Random } from '../observe/clock.ts'
import type { PluginDefinition } from '../plugin/plugin.ts'

export type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'SIGUSR1'

export interface Shell {
  /** Writes to the standard output. */
  out(text: string): void
  /** Writes to the standard error output. */
  err(text: string): void
  /** All of the standard input. */
  input(): Promise<string>
  readonly env: Environment
  readonly signals: {
    on(signal: Signal, handler: (signal: Signal) => void): unknown
    off(signal: Signal, handler: (signal: Signal) => void): unknown
  }
  /** Ends the process at once, whatever is still going on. */
  exit(code: number): void
  readonly clock: Clock
  readonly random: Random
  /** All plugins, in the order in which a query meets them. */
  readonly plugins: readonly PluginDefinition[]
  /** The folder that has each plugin's text in `NAME/README.md`. */
  readonly documents: URL
}
