/**
 * Network namespaces for tests that program the kernel: the test runs itself again in one of its own, and has rules loaded into others
 * that are gone when they are read. Nothing here works in the namespace that the machine started with.
 */
import { spawn, spawnSync } from 'node:child_process'
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
    const said = error?.message ?? stderr.trim()
    throw new PortolanError('PORTOLAN_E2E_COMMAND', `${command} ${args.join(' ')}: ${said}`)
  }
  return stdout
}

/** Brings loopback up, and an interface with these addresses. */
export function addInterface(addresses: readonly string[]): void {
  run('ip', ['link', 'set', 'lo', 'up'])
  run('ip', ['link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0-peer'])
  for (const address of addresses)
    run('ip', ['addr', 'add', address, 'dev', 'eth0', ...(address.includes(':') ? ['nodad'] : [])])
  for (const name of ['eth0-peer', 'eth0']) run('ip', ['link', 'set', name, 'up'])
}

export const tools = { IPv4: 'iptables', IPv6: 'ip6tables' } as const

/** What the kernel makes of rules: loaded into a fresh namespace, and saved again. */
export function loaded(rules: string, family: Family): string {
  return run('unshare', ['--net', process.execPath, join(import.meta.dirname, 'load.ts'), tools[family]], rules)
}

/** Loads rules of nftables into a fresh namespace; what nft says where it refuses them. */
export function refusedByNft(rules: string): string | undefined {
  try {
    run('unshare', ['--net', 'nft', '-f', '-'], rules)
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

function current(): string {
  return readlinkSync('/proc/self/ns/net')
}
