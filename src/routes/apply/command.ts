/** Running the tools that program the kernel: the one effect of this folder, passed in, so that tests can have it fail. */
import { spawn } from 'node:child_process'

export interface Finished {
  /** 127 where there is no such program, 128 where a signal ended it. */
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program with `input` as its standard input. Resolves however it ends. */
export type Run = (command: string, args: readonly string[], input?: string) => Promise<Finished>

export const runCommand: Run = (command, args, input = '') => {
  const { promise, resolve } = Promise.withResolvers<Finished>()
  const child = spawn(command, args, { stdio: 'pipe' })
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []]
  child.stdout.on('data', (data: Buffer) => stdout.push(data))
  child.stderr.on('data', (data: Buffer) => stderr.push(data))
  // A program that ends before it has read its input says why by its status.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  child.once('error', ({ message }) => resolve({ status: 127, stdout: '', stderr: message }))
  child.once('close', code =>
    resolve({ status: code ?? 128, stdout: `${Buffer.concat(stdout)}`, stderr: `${Buffer.concat(stderr)}` }),
  )
  return promise
}
