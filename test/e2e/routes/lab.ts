/** A node with pods and the outside around it: this namespace is the node, and each machine is a namespace that hangs on it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { PortolanError } from '../../../src/errors.ts'
import { type Answer, connect, type Target } from './connect.ts'
import type { Order } from './machine.ts'
import { run } from './namespace.ts'
import { nodeIPs } from './plan.ts'

/** Who connects: a machine, or the node itself. */
export interface Client {
  connect(target: Target, times: number): Promise<Answer[]>
}

export const ownNode: Client = { connect }

/** Turns this namespace into the node. */
export function makeNode(): void {
  run('ip', ['link', 'set', 'lo', 'up'])
  for (const address of nodeIPs)
    run('ip', ['addr', 'replace', `${address}/${address.includes(':') ? 128 : 32}`, 'dev', 'lo'])
  for (const name of ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding']) run('sysctl', ['-qw', `${name}=1`])
  // Where virtual addresses would be, if they were anywhere: a way that packets have until theirs is rewritten, or they are refused.
  run('ip', ['link', 'add', 'uplink', 'type', 'veth', 'peer', 'name', 'uplink-peer'])
  // Nobody is asked who has them, so nobody says that there is no such machine.
  for (const name of ['uplink', 'uplink-peer']) run('ip', ['link', 'set', name, 'arp', 'off', 'up'])
  for (const family of ['-4', '-6']) run('ip', [family, 'route', 'add', 'default', 'dev', 'uplink'])
  // Node ports at 127.0.0.1, as kube-proxy sets it.
  run('sysctl', ['-qw', 'net.ipv4.conf.all.route_localnet=1'])
  // Refusals are ICMP messages, of which the kernel would send one a second.
  for (const name of ['net.ipv4.icmp_ratelimit', 'net.ipv6.icmp.ratelimit']) run('sysctl', ['-qw', `${name}=0`])
}

/** Gives the node addresses that it seldom sends from. Disposing takes them away. */
export function furtherAddresses(addresses: readonly string[]): Disposable {
  const change = (verb: 'add' | 'del', ...how: string[]) => {
    for (const address of addresses)
      run('ip', ['addr', verb, `${address}/${address.includes(':') ? 128 : 32}`, 'dev', 'uplink', ...how])
  }
  change('add', 'preferred_lft', '0')
  return { [Symbol.dispose]: () => change('del') }
}

export class Machine implements Client, AsyncDisposable {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  /** Starts a machine with these addresses, and connects it to the node, through which it reaches everything. */
  static async start(name: string, addresses: readonly [v4: string, v6: string]): Promise<Machine> {
    const child = spawn('unshare', ['--net', process.execPath, join(import.meta.dirname, 'machine.ts')], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    const machine = new Machine(child)
    // Once it answers it is in its namespace.
    await machine.order({ do: 'run', commands: [['ip', 'link', 'set', 'lo', 'up']] })
    run('ip', ['link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', `${child.pid}`])
    run('ip', ['addr', 'add', 'fe80::1/64', 'dev', name, 'nodad'])
    run('ip', ['link', 'set', name, 'up'])
    const [v4, v6] = addresses
    await machine.order({
      do: 'run',
      commands: [
        ['ip', 'addr', 'add', `${v4}/32`, 'dev', 'eth0'],
        ['ip', 'addr', 'add', `${v6}/128`, 'dev', 'eth0', 'nodad'],
        ['ip', 'link', 'set', 'eth0', 'up'],
        ['ip', 'route', 'add', nodeIPs[0], 'dev', 'eth0'],
        ['ip', 'route', 'add', 'default', 'via', nodeIPs[0]],
        ['ip', '-6', 'route', 'add', 'default', 'via', 'fe80::1', 'dev', 'eth0'],
      ],
    })
    for (const address of addresses) run('ip', ['route', 'add', address, 'dev', name])
    return machine
  }

  async serve(name: string, ports: readonly number[]): Promise<void> {
    await this.order({ do: 'serve', name, ports })
  }

  async connect(target: Target, times: number): Promise<Answer[]> {
    const { answers } = await this.order({ do: 'connect', target, times })
    return answers ?? []
  }

  /** One order at a time. */
  async order(order: Order): Promise<{ readonly answers?: Answer[] }> {
    const { promise, resolve, reject } = Promise.withResolvers<{
      readonly error?: string
      readonly answers?: Answer[]
    }>()
    const ended = (code: number | null) => reject(failed(`a machine ended with code ${code}`))
    this.#child.once('message', resolve as (reply: unknown) => void).once('exit', ended)
    try {
      this.#child.send(order)
      const reply = await promise
      if (reply.error !== undefined) throw failed(reply.error)
      return reply
    } finally {
      this.#child.off('exit', ended)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return
    this.#child.kill()
    await once(this.#child, 'exit')
  }
}

function failed(message: string): PortolanError {
  return new PortolanError('PORTOLAN_E2E_MACHINE', message)
}
