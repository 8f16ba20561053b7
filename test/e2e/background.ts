/**
 * Programs that run beside a test or a measurement: started with their output in a file, ended by their own process id, at the latest when this
 * process exits. What they do is up to who starts them.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PortolanError } from '../../src/errors.ts'

/** Has SIGINT and SIGTERM end this process as `process.exit` does, so that what it started is ended too. */
export function exitOnSignals(): void {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.once(signal, () => process.exit(code))
  }
}

const owned = new Set<ChildProcess>()

process.once('exit', () => {
  for (const child of owned) child.kill('SIGKILL')
})

export interface Background extends AsyncDisposable {
  readonly log: string
  /** Undefined where the program could not be started. */
  readonly pid: number | undefined
  /** Resolves once `ready` says true; rejects when the program ends first or `withinMs` have passed. */
  until(ready: () => Promise<boolean>, withinMs: number): Promise<void>
  /** Ends the program as a crash does, without asking it; resolves when it is gone. */
  kill(): Promise<void>
  /** Lets the program outlive this process, since from now on nobody here ends it; returns its process id. */
  release(): number | undefined
}

export interface BackgroundOptions {
  /** How long it may take to end when it is asked to; 5 s unless given. */
  readonly graceMs?: number
  /** Variables beside those of this process. */
  readonly env?: Readonly<Record<string, string>>
}

/** Starts a program; its standard output and error are appended to `log`. */
export function startBackground(
  command: string,
  args: readonly string[],
  log: string,
  { graceMs = 5000, env = {} }: BackgroundOptions = {},
): Background {
  const output = openSync(log, 'a')
  const stdio = ['ignore', output, output] as const
  const child = spawn(command, args, { stdio: [...stdio], detached: true, env: { ...process.env, ...env } })
  closeSync(output)
  let failure: string | undefined
  owned.add(child)
  const ended = new Promise<void>(resolve => {
    child.once('error', error => {
      failure = error.message
      resolve()
    })
    child.once('exit', (code, signal) => {
      failure = `ended with ${signal ?? `code ${code}`}`
      resolve()
    })
  }).finally(() => owned.delete(child))
  const fail = async (why: string): Promise<never> => {
    throw new PortolanError(
      'PORTOLAN_E2E_PROGRAM',
      `${basename(command)} ${why}; the end of ${log}:\n${await tail(log)}`,
    )
  }
  return {
    log,
    pid: child.pid,
    async until(ready, withinMs) {
      const deadline = performance.now() + withinMs
      while (failure === undefined && performance.now() < deadline) {
        if (await ready()) return
        await sleep(50)
      }
      await fail(failure ?? `is not ready after ${withinMs / 1000} s`)
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
    release() {
      owned.delete(child)
      child.unref()
      return child.pid
    },
    async [Symbol.asyncDispose]() {
      if (failure !== undefined || !owned.has(child)) return
      child.kill('SIGTERM')
      const force = setTimeout(() => child.kill('SIGKILL'), graceMs)
      await ended
      clearTimeout(force)
    },
  }
}

/** A TCP port on loopback that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const server = createServer()
  server.once('error', reject)
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    server.close(() => {
      if (address !== null && typeof address === 'object') resolve(address.port)
    })
  })
  return promise
}

async function tail(file: string): Promise<string> {
  const text = await readFile(file, 'utf8')
  return text.trimEnd().split('\n').slice(-8).join('\n')
}
