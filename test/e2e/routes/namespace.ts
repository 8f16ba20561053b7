/**
 * Network namespaces for tests that program the kernel: the test runs itself again in one of its own, and has rules loaded into others
 * that are gone when they are read. Nothing here works in the namespace that the machine started with.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf, PortolanError } from '../../../src/errors.ts'
import type { Family } from '../../../src/wire/address.ts'

const outside = 'PORTOLAN_OUTSIDE_NAMESPACE'

/** Whether this process is in a network namespace that `inNamespace` made. */
export function isInside(): boolean {
  const first = process.env[outside]
  return first !== undefined && first !== current()
}

/** Runs this program again, with the same arguments, in a network namespace of its own; resolves to its exit code. */
export async function inNamespace(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const env = { ...process.env, [outside]: current() }
  const child = spawn('unshare', ['--net', process.execPath, ...process.argv.slice(1)], { stdio: 'inherit', env })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  child.once('error', reject)
  child.once('exit', code => resolve(code ?? 1))
  return promise
}

/** Why namespaces cannot be had here; undefined where they can. */
export function missing(): string | undefined {
  for (const [command, ...args] of [
    ['unshare', '--net', 'true'],
    ['nsenter', '--version'],
    ['ip', '-V'],
    ['iptables-restore', '--version'],
    ['ip6tables-restore', '--version'],
    ['nft', '--version'],
  ]) {
    const { error, status, stderr } = spawnSync(command!, args, { encoding: 'utf8' })
    if (error || status !== 0) return `${[command, ...args].join(' ')}: ${error?.message ?? stderr.trim()}`
  }
  return undefined
}

/** Runs a command in this namespace, which must not be the first. Throws what it says where it fails. */
export function run(command: string, args: readonly string[], input = ''): string {
  if (!isInside()) throw new PortolanError('PORTOLAN_E2E_NAMESPACE', 'this is not a namespace that the test made')
  const { error, status, stdout, stderr } = spawnSync(command, args, { input, encoding: 'utf8', maxBuffer: 1 << 30 })
  if (error || status !== 0) {
    // A program that ends before it has read its input says why.
    const said = stderr?.trim() || error?.message
    throw new PortolanError('PORTOLAN_E2E_COMMAND', `${command} ${args.join(' ')}: ${said}`)
  }
  return stdout
}

export const tools = { IPv4: 'iptables', IPv6: 'ip6tables' } as const

/** Takes away all rules of this namespace, whoever made them. */
export function emptyRules(): void {
  for (const tool of Object.values(tools)) {
    for (const table of ['filter', 'nat', 'mangle']) for (const what of ['-F', '-X']) run(tool, ['-t', table, what])
  }
  run('nft', ['flush', 'ruleset'])
}

/** A namespace beside this one that rules are loaded into to see what the kernel makes of them. No packet ever passes there. */
export class Scratch implements AsyncDisposable {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  static async start(): Promise<Scratch> {
    const child = spawn('unshare', ['--net', process.execPath, join(import.meta.dirname, 'scratch.ts')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const failed = once(child, 'exit').then(([code]) => {
      throw new PortolanError('PORTOLAN_E2E_NAMESPACE', `the scratch namespace ended with code ${code}`)
    })
    await Promise.race([once(child.stdout!, 'data'), failed])
    failed.catch(() => {})
    return new Scratch(child)
  }

  /** What iptables-save says of rules once they are loaded, and nothing else is. */
  loaded(rules: string, family: Family): string {
    const restore = `${tools[family]}-restore`
    this.#run(restore, [], '*filter\nCOMMIT\n*nat\nCOMMIT\n')
    this.#run(restore, ['--noflush'], rules)
    return this.#run(`${tools[family]}-save`, [])
  }

  /** Loads rules of nftables; what nft says where it refuses them. */
  refusedByNft(rules: string): string | undefined {
    try {
      this.#run('nft', ['-f', '-'], rules)
      return undefined
    } catch (error) {
      return messageOf(error)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.stdin!.end()
    await ended
  }

  #run(command: string, args: readonly string[], input?: string): string {
    return run('nsenter', [`--net=/proc/${this.#child.pid}/ns/net`, command, ...args], input)
  }
}

function current(): string {
  return readlinkSync('/proc/self/ns/net')
}
