/**
 * The part of `portolan query` that asks as a program does, by way of its C library: with the resolv.conf of a pod, of a file or of this
 * machine, through the search list, and with a line for each question.
 */
import { isIP } from 'node:net'
import { clusterDns, podKey, podNamed } from '../client/cluster-pod.ts'
import { type PodResolvConf, podResolvConf } from '../client/resolver/pod-resolv-conf.ts'
import { walkOf } from '../client/resolver/rehearsal.ts'
import { libcs, type ResolverConfig, resolverConfig } from '../client/resolver/resolver-config.ts'
import { perform } from '../client/resolver/stub-resolver.ts'
import type { AddressType, Exchange, Outcome, Result, Step } from '../client/resolver/walk.ts'
import { resolvConfText } from '../net/resolv-conf.ts'
import { Rcode, rcodeName } from '../wire/types.ts'
import { type Arguments, usageError } from './arguments.ts'
import { Exit } from './command.ts'
import { type NameServer, serverText } from './exchange.ts'
import { resolvConfFile, SYSTEM_FILE } from './resolv-conf-file.ts'
import { readState } from './routes-cluster.ts'
import type { Shell } from './shell.ts'

export interface Walked {
  readonly name: string
  readonly types: readonly AddressType[]
  /** Takes the place of all servers of the resolv.conf, whose port is this one's too. */
  readonly server: NameServer | undefined
  readonly port: number
  readonly short: boolean
}

/** Takes the walk and shows it. The exit code says whether the name leads to an address. */
export async function walkQuery({ name, types, server, port, short }: Walked, given: Arguments, shell: Shell) {
  const libc = given.oneOf('libc', libcs, 'glibc')
  const { title, text, findings } = await resolvConfFor(given, shell)
  const config = withServer(resolverConfig(text, libc), server)
  const walk = walkOf(libc, config, name, types, shell.random)
  const started = shell.clock.monotonic()
  const result = await perform(walk, { clock: shell.clock, random: shell.random, port: server?.port ?? port })
  const ms = shell.clock.monotonic() - started
  const lines = short
    ? result.addresses
    : [
        `resolv.conf ${title}`,
        ...indented(text.trimEnd().split('\n')),
        ...indented(findings),
        `${libc} looks up ${name}`,
        ...indented(table(result.steps, (host: string) => serverText({ host, port: server?.port ?? port }))),
        conclusion(result, ms),
      ]
  shell.out(lines.map(line => `${line}\n`).join(''))
  return result.outcome === 'found' ? Exit.done : Exit.failed
}

function withServer(config: ResolverConfig, server: NameServer | undefined): ResolverConfig {
  if (server === undefined) return config
  if (isIP(server.host) === 0) throw usageError(`@${server.host}: a resolver needs the address of its server`)
  return { ...config, servers: [server.host] }
}

interface Named {
  readonly title: string
  readonly text: string
  readonly findings: readonly string[]
}

async function resolvConfFor(given: Arguments, shell: Shell): Promise<Named> {
  const file = given.text('resolv-conf')
  const from = given.text('from')
  if (from === undefined) {
    const path = file ?? SYSTEM_FILE
    return { title: `of ${path}`, text: resolvConfFile(path), findings: [] }
  }
  const { conf, reason, findings } = await podConf(from, file, given, shell)
  return { title: `of ${from} (${reason})`, text: resolvConfText(conf), findings }
}

async function podConf(
  from: string,
  nodeFile: string | undefined,
  given: Arguments,
  shell: Shell,
): Promise<PodResolvConf> {
  const key = podKey(from)
  const { state } = await readState(given, shell, { kinds: ['Service', 'Pod'] })
  const { namespace, hostNetwork, dns } = podNamed(state, key)
  const servers = clusterDns(state, given.text('cluster-dns'))
  if (servers.length === 0)
    throw usageError('there is no service kube-system/kube-dns: say with -cluster-dns ADDRESS what kubelets are told')
  return podResolvConf({
    namespace,
    hostNetwork,
    dns,
    nodeFile: nodeFile === undefined ? undefined : resolvConfFile(nodeFile),
    clusterDNS: servers,
    clusterDomain: given.text('cluster-domain') ?? 'cluster.local',
  })
}

function indented(lines: readonly string[]): string[] {
  return lines.filter(line => line !== '').map(line => `  ${line}`)
}

/** A line for each query, in columns. A name that cannot be asked for has one too. */
function table(steps: readonly Step[], serverOf: (host: string) => string): string[] {
  const rows = steps.flatMap(({ name, exchanges }) =>
    exchanges.length === 0
      ? [[name, '', 'cannot be asked for']]
      : exchanges.map((exchange, i) => [
          i === 0 ? name : '',
          exchange.query.type,
          ...exchangeCells(exchange, serverOf),
        ]),
  )
  const widths = [0, 1, 2, 3].map(column => Math.max(0, ...rows.map(row => row[column]?.length ?? 0)))
  return rows.map(row =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

function exchangeCells({ query, sentAt, end }: Exchange, serverOf: (host: string) => string): string[] {
  const took = end === undefined ? '' : `${Math.round(end.at - sentAt)} ms`
  return [resultText(end), `${serverOf(query.server)} (${query.transport})`, took]
}

function resultText(end: Exchange['end']): string {
  if (end === undefined) return 'no reply'
  if (end.what !== 'reply') return end.what === 'refused' ? 'nothing listens there' : 'closed without a reply'
  const { rcode, truncated, answers, addresses } = end.reply
  if (truncated) return 'truncated'
  if (rcode !== Rcode.NOERROR) return rcodeName(rcode)
  if (addresses.length > 0) return `NOERROR ${addresses.slice(0, 3).join(' ')}${addresses.length > 3 ? ' …' : ''}`
  return answers > 0 ? 'NOERROR, an alias without an address' : 'NODATA'
}

const errors: Readonly<Record<Exclude<Outcome, 'found'>, string>> = {
  EAI_NONAME: 'there is no such name',
  EAI_NODATA: 'the name has no address',
  EAI_AGAIN: 'temporary failure: no server gave an answer',
  EAI_FAIL: 'a server answered with a failure',
}

function conclusion({ outcome, addresses, steps }: Result, ms: number): string {
  const queries = steps.reduce((sum, { exchanges }) => sum + exchanges.length, 0)
  const said = outcome === 'found' ? addresses.join(' ') : `${outcome}: ${errors[outcome]}`
  return `${said} (${queries} ${queries === 1 ? 'query' : 'queries'}, ${Math.round(ms)} ms)`
}
