/** Hears from the kernel itself which elements and rules of nftables come and go (`nft monitor`). */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { PortolanError } from '../../../src/errors.ts'
import { run } from '../../e2e/routes/namespace.ts'
import type { Change } from './cluster.ts'

/** A table that is made only to see whether the monitor has begun to hear. */
const probe = 'portolan-bench-probe'
const startMs = 30_000
const retryMs = 100

interface Heard {
  readonly line: string
  readonly at: number
}

export class KernelWatch implements AsyncDisposable {
  readonly #child: ChildProcess
  #heard: Heard[] = []
  #wake = Promise.withResolvers<void>()

  private constructor(child: ChildProcess) {
    this.#child = child
    createInterface({ input: child.stdout! }).on('line', line => {
      this.#heard.push({ line, at: performance.now() })
      this.#wake.resolve()
      this.#wake = Promise.withResolvers()
    })
  }

  /** Resolves once it hears. It reads all rules that there are first, so they should be loaded by then. */
  static async start(): Promise<KernelWatch> {
    await using stack = new AsyncDisposableStack()
    const watch = stack.use(new KernelWatch(spawn('nft', ['monitor'], { stdio: ['ignore', 'pipe', 'inherit'] })))
    const deadline = performance.now() + startMs
    while (!watch.#heard.some(({ line }) => line.includes(probe))) {
      if (performance.now() > deadline) throw new PortolanError('PORTOLAN_BENCH_MONITOR', 'nft monitor hears nothing')
      run('nft', ['add', 'table', 'ip', probe])
      run('nft', ['delete', 'table', 'ip', probe])
      await watch.#news(retryMs)
    }
    stack.move()
    return watch
  }

  /** From now on; what it returns resolves to when the kernel told of the change. */
  expect(withinMs: number): (change: Change) => Promise<number> {
    this.#heard = []
    return async change => {
      const verb = change.kind === 'removed' ? 'delete element' : 'add element'
      const address = new RegExp(`\\b${change.address.replaceAll('.', '\\.')}\\b`)
      const deadline = performance.now() + withinMs
      for (;;) {
        const found = this.#heard.find(({ line }) => line.startsWith(verb) && address.test(line))
        if (found !== undefined) return found.at
        if (performance.now() > deadline)
          throw new PortolanError('PORTOLAN_BENCH_LATE', `the kernel has not had a change of ${change.service} in time`)
        await this.#news(withinMs)
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill()
    await ended
  }

  /** Resolves when something was heard, or after so long. */
  async #news(withinMs: number): Promise<void> {
    const heard = this.#wake.promise
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, withinMs)
    await Promise.race([heard, promise])
    clearTimeout(timer)
  }
}
