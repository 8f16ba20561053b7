/** Rules in the kernel are damaged, each kind of damage by itself, and `portolan routes diff` must find it and name the service. */
import type { Finding } from '../../../src/routes/diff/finding.ts'
import { readKernel } from '../../../src/routes/diff/kernel.ts'
import { compareNodeRules, type Mode } from '../../../src/routes/diff/node-rules.ts'
import { renderIptables } from '../../../src/routes/render/iptables.ts'
import { chainNames } from '../../../src/routes/render/iptables-names.ts'
import { renderNftables, TABLE } from '../../../src/routes/render/nftables.ts'
import { tailOf } from '../../../src/routes/render/nftables-destination.ts'
import { type Destination, nameOf } from '../../../src/routes/route.ts'
import type { RenderOptions } from '../../../src/routes/setting.ts'
import type { Routes } from '../../../src/routes/table.ts'
import { run } from './namespace.ts'

export interface Subject {
  readonly routes: Pick<Routes, 'destinations'>
  readonly options: Omit<RenderOptions, 'family'>
}

export type Check = (what: string, wrong: string | undefined) => void

/** The service whose rules are damaged, as comments have it: a plain one with a node port and three endpoints. */
const victim = 'routes/port-mixed'

interface Damage {
  readonly what: string
  do(): void
  /** One of the findings; all of them name the same service. */
  readonly find: Partial<Finding>
}

/** What the kernel differs in now, IPv4. */
async function findings({ routes, options }: Subject, mode: Mode): Promise<readonly Finding[]> {
  const { families } = compareNodeRules({ routes, options, dumps: await readKernel(), mode, families: ['IPv4'] })
  return families.flatMap(({ findings }) => findings)
}

/** Does each damage to the rules that are there now, and puts them back. */
async function checkAll(
  title: string,
  damages: readonly Damage[],
  reset: () => void,
  find: () => Promise<readonly Finding[]>,
  check: Check,
): Promise<void> {
  const told = (all: readonly Finding[]) =>
    all.map(one => `${one.kind} ${one.chain} (${one.service}): ${one.why}`).join('; ')
  const before = await find()
  check(`${title} undamaged`, before.length === 0 ? undefined : told(before))
  for (const damage of damages) {
    damage.do()
    const found = await find()
    const fits = (one: Finding) =>
      Object.entries(damage.find).every(([key, value]) => one[key as keyof Finding] === value)
    const one = found.some(fits) && found.every(({ service }) => service === damage.find.service)
    check(`${title} ${damage.what}`, one ? undefined : found.length === 0 ? 'nothing was found' : told(found))
    reset()
  }
  const after = await find()
  check(`${title} as before`, after.length === 0 ? undefined : told(after))
}

/** Damages the rules of iptables that are in this namespace, whoever put them there. */
export async function damageIptables(title: string, subject: Subject, check: Check): Promise<void> {
  const saved = run('iptables-save', [])
  const reset = () => {
    run('nft', ['flush', 'ruleset'])
    for (const table of ['nat', 'filter']) for (const what of ['-F', '-X']) run('iptables-legacy', ['-t', table, what])
    run('iptables-restore', [], saved)
  }
  await checkAll(title, iptablesDamages(saved, subject), reset, () => findings(subject, 'iptables'), check)
}

/** Damages the table of nftables that is in this namespace, ours or kube-proxy's. */
export async function damageNftables(title: string, subject: Subject, check: Check): Promise<void> {
  const saved = run('nft', ['list', 'ruleset'])
  const damages = saved.includes(`table ip ${TABLE} {`) ? ourTableDamages(subject) : kubeProxyTableDamages(saved)
  const reset = () => void run('nft', ['-f', '-'], `flush ruleset\n${saved}`)
  await checkAll(title, damages, reset, () => findings(subject, 'nftables'), check)
}

function destinationOf({ routes }: Subject, service: string): Destination {
  const found = [...routes.destinations()].find(one => nameOf(one) === service && one.family === 'IPv4')
  if (!found) throw new Error(`there is no ${service}`)
  return found
}

interface Place {
  readonly chain: string
  readonly number: number
  /** What stands behind `-A CHAIN `. */
  readonly rule: string
}

function placeOf(saved: string, table: string, pattern: RegExp): Place {
  const [, rules = ''] = saved.split(`*${table}\n`)
  const counts = new Map<string, number>()
  for (const line of rules.slice(0, rules.indexOf('COMMIT')).split('\n')) {
    const [, chain, rule] = /^-A (\S+) (.*)$/.exec(line) ?? []
    if (chain === undefined) continue
    const number = (counts.get(chain) ?? 0) + 1
    counts.set(chain, number)
    if (pattern.test(line)) return { chain, number, rule: rule! }
  }
  throw new Error(`no rule matches ${pattern}`)
}

function iptablesDamages(saved: string, subject: Subject): Damage[] {
  const { routes, options } = subject
  const destination = destinationOf(subject, victim)
  const oldChain = chainNames({ ...destination, service: `${destination.service}:` }).cluster
  const at = (table: string, pattern: RegExp) => placeOf(saved, table, pattern)
  const restore = (table: string, ...lines: string[]) =>
    void run('iptables-restore', ['--noflush'], [`*${table}`, ...lines, 'COMMIT', ''].join('\n'))
  const remove = (table: string, { chain, number }: Place) => restore(table, `-D ${chain} ${number}`)
  const replace = ({ chain, number, rule }: Place, from: string | RegExp, to: string) =>
    restore('nat', `-R ${chain} ${number} ${rule.replace(from, to)}`)
  const own = (rest: string) => new RegExp(`^-A KUBE-SVC-\\S+ .*"${victim} -> ${rest}`)
  const [chosen, first] = [at('nat', own('10\\.244\\.1\\.2:')), at('nat', own('10\\.244\\.1\\.10:'))]
  const taken = at('nat', new RegExp(`^-A KUBE-SERVICES .*"${victim} cluster IP"`))
  const endpoint = at('nat', new RegExp(`^-A KUBE-SEP-.*"${victim}".* -j DNAT`))
  const hairpin = at('nat', new RegExp(`^-A KUBE-SEP-.*"${victim}".* -j KUBE-MARK-MASQ`))
  const last = at('nat', /^-A KUBE-SERVICES .*-j KUBE-NODEPORTS/)
  const refused = at('filter', /^-A KUBE-SERVICES .*"routes\/port-none has no endpoints"/)
  const ranged = at('nat', /^-A KUBE-FW-.*-s 198\.51\.100\.0\/24 .*routes\/balanced-mixed/)
  const gone = 'KUBE-SEP-AAAAAAAAAAAAAAAA'
  const stale = [`:${gone} - [0:0]`, `-A ${gone} -p tcp -m tcp -j DNAT --to-destination 10.244.9.9:8080`]
  const masquerading = /^-A KUBE-SVC-.*"routes\/port-mixed cluster IP".*KUBE-MARK-MASQ/
  return [
    {
      what: 'rule of KUBE-SERVICES gone',
      do: () => remove('nat', taken),
      find: { kind: 'missing', chain: 'KUBE-SERVICES', service: victim },
    },
    {
      what: 'probability',
      do: () => replace(first, /--probability \S+/, '--probability 0.9'),
      find: { kind: 'wrong', service: victim },
    },
    { what: 'endpoint gone', do: () => remove('nat', chosen), find: { kind: 'missing', service: victim } },
    {
      what: 'endpoint stale',
      do: () =>
        restore('nat', ...stale, `-I ${first.chain} 1 -m statistic --mode random --probability 0.25 -j ${gone}`),
      find: { kind: 'stale', chain: first.chain, service: victim, why: '10.244.9.9:8080 is no endpoint of it' },
    },
    {
      what: 'port of an endpoint',
      do: () => replace(endpoint, /:8080$/, ':8081'),
      find: { kind: 'wrong', service: victim },
    },
    {
      what: 'hairpin',
      do: () => remove('nat', hairpin),
      find: { kind: 'missing', chain: hairpin.chain, service: victim },
    },
    {
      what: 'masquerading',
      do: () => remove('nat', at('nat', masquerading)),
      find: { kind: 'missing', service: victim },
    },
    {
      what: 'orphan chain',
      do: () => restore('nat', ...stale),
      find: { kind: 'orphan chain', chain: gone, service: undefined },
    },
    {
      what: 'way in gone',
      do: () => remove('nat', at('nat', /^-A PREROUTING .*KUBE-SERVICES/)),
      find: { kind: 'missing', chain: 'PREROUTING', service: undefined },
    },
    {
      what: 'last rule first',
      do: () => restore('nat', `-D ${last.chain} ${last.number}`, `-I ${last.chain} 1 ${last.rule}`),
      find: { kind: 'misplaced', chain: 'KUBE-SERVICES', service: undefined },
    },
    {
      what: 'endpoints in another order',
      do: () =>
        restore(
          'nat',
          `-D ${first.chain} ${first.number}`,
          `-I ${first.chain} 1 ${first.rule}`,
          `-D ${chosen.chain} ${chosen.number}`,
          `-I ${chosen.chain} 1 ${chosen.rule}`,
        ),
      find: { kind: 'misplaced', chain: chosen.chain, service: victim },
    },
    {
      what: 'refusal left over',
      do: () =>
        restore(
          'filter',
          `-A KUBE-SERVICES ${taken.rule.replace('cluster IP', 'has no endpoints').replace(/-j \S+/, '-j REJECT')}`,
        ),
      find: { kind: 'stale', table: 'filter', service: victim },
    },
    {
      what: 'refusal gone',
      do: () => remove('filter', refused),
      find: { kind: 'missing', table: 'filter', service: 'routes/port-none' },
    },
    {
      what: 'foreign rule',
      do: () => restore('nat', '-I KUBE-SERVICES 1 -s 192.0.2.9/32 -j ACCEPT'),
      find: { kind: 'extra', chain: 'KUBE-SERVICES', service: undefined },
    },
    {
      what: 'source range gone',
      do: () => remove('nat', ranged),
      find: { kind: 'missing', service: 'routes/balanced-mixed' },
    },
    {
      what: 'chain emptied',
      do: () => restore('nat', `-F ${first.chain}`),
      find: { kind: 'missing', rule: `:${first.chain}`, service: victim },
    },
    {
      what: 'old name',
      do: () => {
        const old = taken.rule.replace(/-j \S+/, `-j ${oldChain}`)
        restore('nat', `:${oldChain} - [0:0]`, `-R ${taken.chain} ${taken.number} ${old}`)
      },
      find: { kind: 'wrong', chain: 'KUBE-SERVICES', service: victim },
    },
    {
      what: 'nftables beside it',
      do: () => void run('nft', ['-f', '-'], renderNftables(routes, { ...options, family: 'IPv4' })),
      find: { kind: 'other mode', table: 'nftables ip portolan', service: undefined },
    },
    {
      what: 'legacy back end beside it',
      do: () => {
        const text = renderIptables(routes, { ...options, family: 'IPv4' })
        run('iptables-legacy-restore', ['--noflush'], text)
      },
      find: { kind: 'other mode', table: 'iptables (legacy) nat', service: undefined },
    },
  ]
}

const nft = (...commands: string[]) => void run('nft', ['-f', '-'], commands.join('\n'))

function ourTableDamages(subject: Subject): Damage[] {
  const { routes, options } = subject
  const table = `ip ${TABLE}`
  const { ip } = destinationOf(subject, victim).addresses[0]!
  const place = `${ip} . tcp . 80`
  const sticky = `cluster-${tailOf(destinationOf(subject, 'routes/affinity'))}`
  const others = { destinations: () => [...routes.destinations()].filter(one => nameOf(one) !== victim) }
  return [
    {
      what: 'element gone',
      do: () => nft(`delete element ${table} services { ${place} }`),
      find: { kind: 'missing', chain: 'services', service: victim },
    },
    {
      what: 'element leads elsewhere',
      do: () =>
        nft(
          `delete element ${table} endpoints-3 { ${place} . 1 }`,
          `add element ${table} endpoints-3 { ${place} . 1 : 10.244.9.9 . 8080 }`,
        ),
      find: { kind: 'wrong', chain: 'endpoints-3', service: victim },
    },
    {
      what: 'element left over',
      do: () => nft(`add element ${table} endpoints-2 { ${place} . 0 : 10.244.9.9 . 8080 }`),
      find: { kind: 'stale', chain: 'endpoints-2', service: victim },
    },
    {
      what: 'element of nobody',
      do: () => nft(`add element ${table} services { 10.9.9.9 . tcp . 80 : drop }`),
      find: { kind: 'extra', chain: 'services', service: undefined },
    },
    {
      what: 'refusal left over',
      do: () => nft(`add element ${table} refused-services { ${place} : goto refuse }`),
      find: { kind: 'stale', chain: 'refused-services', service: victim },
    },
    {
      what: 'chain flushed',
      do: () => nft(`flush chain ${table} ${sticky}`),
      find: { kind: 'missing', rule: `:${sticky}`, service: 'routes/affinity' },
    },
    {
      what: 'foreign rule',
      do: () => nft(`insert rule ${table} route ip saddr 192.0.2.9 accept`),
      find: { kind: 'extra', chain: 'route', rule: 'ip saddr 192.0.2.9 accept', service: undefined },
    },
    {
      what: 'orphan chain',
      do: () => nft(`add chain ${table} mine`, `add rule ${table} mine accept`),
      find: { kind: 'orphan chain', chain: 'mine', service: undefined },
    },
    {
      what: 'table of a former state',
      do: () => nft(renderNftables(others, { ...options, family: 'IPv4' })),
      find: { kind: 'missing', chain: 'services', service: victim },
    },
    {
      what: 'table gone',
      do: () => nft(`delete table ${table}`),
      find: { kind: 'missing', table, chain: '', service: undefined },
    },
    {
      what: 'iptables beside it',
      do: () => void run('iptables-restore', ['--noflush'], renderIptables(routes, { ...options, family: 'IPv4' })),
      find: { kind: 'other mode', table: 'iptables (nf_tables) nat', service: undefined },
    },
  ]
}

function kubeProxyTableDamages(saved: string): Damage[] {
  const table = 'ip kube-proxy'
  const [own = ''] = /^table ip kube-proxy \{[\s\S]*?^\}/m.exec(saved) ?? []
  const named = (pattern: RegExp) => {
    const [, name] = pattern.exec(own) ?? []
    if (name === undefined) throw new Error(`nothing in the table matches ${pattern}`)
    return name
  }
  const key = named(/(\S+ \. tcp \. 80) : goto service-\w{8}-routes\/port-mixed\/tcp\//)
  const chain = named(/chain (service-\w{8}-routes\/port-mixed\/tcp\/) \{/)
  const endpoint = named(/chain (endpoint-\w{8}-routes\/port-mixed\/tcp\/__10\.244\.1\.10\/8080) \{/)
  return [
    {
      what: 'element gone',
      do: () => nft(`delete element ${table} service-ips { ${key} }`),
      find: { kind: 'missing', chain: 'service-ips', service: victim },
    },
    {
      what: 'refusal left over',
      do: () => nft(`add element ${table} no-endpoint-services { ${key} : goto reject-chain }`),
      find: { kind: 'stale', chain: 'no-endpoint-services', service: victim },
    },
    {
      what: 'chain flushed',
      do: () => nft(`flush chain ${table} ${chain}`),
      find: { kind: 'missing', chain, service: victim },
    },
    {
      what: 'port of an endpoint',
      do: () =>
        nft(
          `flush chain ${table} ${endpoint}`,
          `add rule ${table} ${endpoint} ip saddr 10.244.1.10 jump mark-for-masquerade`,
          `add rule ${table} ${endpoint} meta l4proto tcp dnat to 10.244.1.10:8081`,
        ),
      find: { kind: 'wrong', chain: endpoint, service: victim },
    },
    {
      what: 'foreign rule',
      do: () => nft(`insert rule ${table} services ip saddr 192.0.2.9 accept`),
      find: { kind: 'extra', chain: 'services', service: undefined },
    },
  ]
}
