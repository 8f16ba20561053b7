/** Check of what a node's kernel does with virtual addresses: its rules beside those that the cluster asks for, by count and by content. */

import { keyOf } from '../../cluster/objects.ts'
import { PortolanError } from '../../errors.ts'
import type { Dumps } from '../../routes/diff/dumps.ts'
import type { Finding as RuleFinding } from '../../routes/diff/finding.ts'
import { type Comparison, compareNodeRules } from '../../routes/diff/node-rules.ts'
import { hasProxyChains } from '../../routes/diff/other-modes.ts'
import { nameOf } from '../../routes/route.ts'
import { RouteTable } from '../../routes/table.ts'
import {
  type Check,
  type CheckName,
  counted,
  type Examined,
  type Finding,
  fault,
  isMissing,
  type Missing,
  note,
} from './check.ts'
import type { NodeRules, World } from './world.ts'

/** So many services are told one by one. */
const mostServices = 5

export const rulesCheck: Check = {
  name: 'node rules',
  examine(world) {
    const { rules } = world
    if (isMissing(rules)) return rules
    if (!isProxied(rules.dumps)) return unproxied(rules)
    const routes = new RouteTable()
    routes.rebuild(world.view)
    try {
      const { node, dumps, flags } = rules
      const guessed = flags.clusterCIDRs?.length ? flags : { ...flags, clusterCIDRs: podRangesIn(dumps) }
      const comparison = compareNodeRules({ routes, options: { node, ...guessed }, dumps })
      return { summary: summaryOf(comparison, rules, routes), findings: findingsOf(world, rules, comparison) }
    } catch (error) {
      if (error instanceof PortolanError && error.code === 'PORTOLAN_ROUTES_DUMP') return { missing: error.message }
      throw error
    }
  },
}

function isProxied({ iptables, nftables }: Dumps): boolean {
  return (
    iptables.some(hasProxyChains) || [...(nftables?.keys() ?? [])].some(name => / (kube-proxy|portolan)$/.test(name))
  )
}

/** Other programs do kube-proxy's work in their own way; only the query by the virtual address tells whether they do. */
function unproxied({ node }: NodeRules): Examined | Missing {
  const seen = `node ${node.name} has no rules of kube-proxy`
  const means = 'virtual addresses lead nowhere, unless another program (Cilium, IPVS) does its work'
  return {
    summary: '',
    findings: [
      { level: 'warning', seen, means, next: ['kubectl -n kube-system get pods -l k8s-app=kube-proxy -o wide'] },
    ],
  }
}

/** Who does not say where pods have their addresses is told by the rules themselves: what comes from elsewhere gets the node's address. */
function podRangesIn({ iptables, nftables }: Dumps): string[] {
  const saved = iptables.flatMap(({ text }) => [
    ...text.matchAll(/^-A KUBE-SV[CL]-\S+ ! -s (\S+) -d .*-j KUBE-MARK-MASQ$/gm),
  ])
  const ranges = new Set(saved.map(([, range = '']) => range))
  return ranges.size > 0 || nftables === undefined ? [...ranges] : rangesOfNft(nftables)
}

function rangesOfNft(tables: NonNullable<Dumps['nftables']>): string[] {
  const found = /saddr != (?:\{ )?([\da-f.:]+\/\d+)/i
  const rules = [...tables.values()].flatMap(({ chains }) => [...chains.values()].flatMap(({ rules }) => rules))
  return [...new Set(rules.flatMap(rule => found.exec(rule.meaning)?.[1] ?? []))]
}

function summaryOf({ mode, families }: Comparison, { node }: NodeRules, routes: RouteTable): string {
  const wanted = families.reduce((sum, { rules }) => sum + rules, 0)
  const services = new Set([...routes.destinations()].map(nameOf)).size
  const backends = [...routes.destinations()].reduce((sum, destination) => sum + destination.backends.length, 0)
  return `node ${node.name} has the ${wanted} rules (${mode}) of ${counted(services, 'service port')} and ${counted(backends, 'endpoint')}`
}

/** One for each service, the DNS server's first. */
function findingsOf({ dns }: World, { node }: NodeRules, { mode, families }: Comparison): Finding[] {
  const all = families.flatMap(({ findings }) => findings)
  const groups = Map.groupBy(
    all.filter(({ level }) => level === 'fault'),
    ({ service }) => service ?? '',
  )
  const dnsName = dns.service === undefined ? '' : keyOf(dns.service)
  const isDns = (service: string) => dnsName !== '' && (service === dnsName || service.startsWith(`${dnsName}:`))
  const ordered = [...groups].sort(([a], [b]) => Number(isDns(b)) - Number(isDns(a)))
  const told = ordered.slice(0, mostServices).map(([service, findings]) => {
    const explains: CheckName[] = service === '' || isDns(service) ? ['virtual address', 'upstream'] : []
    return ruleFault(service, findings, `portolan routes diff ${mode} -node ${node.name}`, explains)
  })
  const rest = ordered.length - told.length
  return rest > 0 ? [...told, note(`rules of ${counted(rest, 'other service')} differ too`)] : told
}

function ruleFault(
  service: string,
  findings: readonly RuleFinding[],
  diff: string,
  explains: readonly CheckName[],
): Finding {
  const [first] = findings as readonly [RuleFinding]
  const counts = Map.groupBy(findings, ({ kind }) => kind)
  const kinds = [...counts].map(([kind, { length }]) => `${length} ${kind}`).join(', ')
  const which = service === '' ? 'rules of no service in particular' : `rules of ${service}`
  const rule = first.rule.startsWith(':') ? '' : `: ${first.rule}`
  const seen = `${which}: ${kinds}; the first is ${first.kind} in ${first.table} ${first.chain}${rule}`
  return fault(seen, first.why, [diff, 'kubectl -n kube-system logs ds/kube-proxy'], explains)
}
