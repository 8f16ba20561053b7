/** The outside of a command, held still: what it writes is kept, and signals are sent by the test. */
import { EventEmitter } from 'node:events'
import { portolan } from '../../src/cli/portolan.ts'
import type { Shell, Signal } from '../../src/cli/shell.ts'
import { plugins } from '../../src/plugins/index.ts'
import { testClock } from './clock.ts'

export interface TestShell {
  readonly shell: Shell
  readonly out: () => string
  readonly err: () => string
  /** Exit codes that were asked for at once. */
  readonly exits: readonly number[]
  send(signal: Signal): void
  /** Resolves once the standard output holds what `pattern` matches. */
  wrote(pattern: RegExp): Promise<RegExpExecArray>
}

export function testShell(options: Partial<Shell> & { readonly stdin?: string } = {}): TestShell {
  const signals = new EventEmitter()
  const output = new EventEmitter()
  const exits: number[] = []
  let out = ''
  let err = ''
  const shell: Shell = {
    out(text) {
      out += text
      output.emit('text')
    },
    err(text) {
      err += text
    },
    input: async () => options.stdin ?? '',
    env: {},
    signals,
    exit: code => exits.push(code),
    clock: testClock(),
    random: () => 0.5,
    plugins,
    documents: new URL('../../src/plugins/', import.meta.url),
    ...options,
  }
  return {
    shell,
    out: () => out,
    err: () => err,
    exits,
    send: signal => signals.emit(signal, signal),
    wrote(pattern) {
      return new Promise(resolve => {
        const look = () => {
          const found = pattern.exec(out)
          if (found === null) return
          output.off('text', look)
          resolve(found)
        }
        output.on('text', look)
        look()
      })
    },
  }
}

/** Runs a command line to its end. */
export async function run(args: readonly string[], options: Parameters<typeof testShell>[0] = {}) {
  const { shell, out, err } = testShell(options)
  const code = await portolan(args, shell)
  return { code, out: out(), err: err() }
}
