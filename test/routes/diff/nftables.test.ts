/** Tables that nft listed are as they should be, ours and kube-proxy's; then each kind of damage is found, and the service is named. */
import t from 'tap'
import type { Finding } from '../../../src/routes/diff/finding.ts'
import { renderKubeProxyNftables, withoutServiceRanges } from '../../../src/routes/diff/kube-proxy-nftables.ts'
import { compareTables, diffNftables } from '../../../src/routes/diff/nftables.ts'
import { readListed } from '../../../src/routes/diff/nftables-listed.ts'
import { readRendered } from '../../../src/routes/diff/nftables-table.ts'
import { renderNftables } from '../../../src/routes/render/nftables.ts'
import { names, options, saved, table } from './saved.ts'

const families = ['IPv4', 'IPv6'] as const

/** What nft lists: objects of one key each. */
type Entry = Record<string, Record<string, unknown>>

/** The list with its objects changed; `undefined` removes one. */
function listed(
  json: string,
  change: (kind: string, body: Record<string, unknown>) => Entry | undefined | boolean,
): string {
  const { nftables } = JSON.parse(json) as { nftables: Entry[] }
  let changes = 0
  const entries = nftables.flatMap(entry => {
    const [[kind, body]] = Object.entries(entry) as [[string, Record<string, unknown>]]
    const result = body['family'] === 'ip' ? change(kind, body) : true
    if (result === true) return [entry]
    changes++
    return result ? [result] : []
  })
  if (changes === 0) throw new Error('nothing was changed')
  return JSON.stringify({ nftables: entries })
}

/** The list with the elements of one map or set changed. */
function withElements(json: string, set: string, change: (elements: unknown[]) => unknown[]): string {
  return listed(json, (kind, body) =>
    (kind === 'map' || kind === 'set') && body['name'] === set
      ? { [kind]: { ...body, elem: change(body['elem'] as unknown[]) } }
      : true,
  )
}

const ours = (json: string): Finding[] =>
  diffNftables(renderNftables(table, { ...options, family: 'IPv4' }), json, names())
const theirs = (json: string): Finding[] =>
  compareTables(
    readRendered(renderKubeProxyNftables(table, { ...options, family: 'IPv4' })),
    withoutServiceRanges(readListed(json)),
    names(),
  )

t.test('undamaged tables', async t => {
  for (const family of families) {
    t.same(
      diffNftables(renderNftables(table, { ...options, family }), saved.portolanNft, names()),
      [],
      `ours, ${family}`,
    )
    const wanted = readRendered(renderKubeProxyNftables(table, { ...options, family }))
    t.same(
      compareTables(wanted, withoutServiceRanges(readListed(saved.kubeProxyNft)), names()),
      [],
      `kube-proxy's, ${family}`,
    )
  }
})

const isElement = (text: string) => (element: unknown) => JSON.stringify(element).includes(text)
const isRule = (kind: string, body: Record<string, unknown>, chain: RegExp, text: string) =>
  kind === 'rule' && chain.test(String(body['chain'])) && JSON.stringify(body).includes(text)
const extraRule = (chain: string): Entry => ({
  rule: { family: 'ip', table: 'portolan', chain, expr: [{ accept: null }] },
})
const add = (entry: Entry) => JSON.stringify({ nftables: [...JSON.parse(saved.portolanNft).nftables, entry] })

const httpPlace = '"10.96.0.20","tcp",80'

const affinitySet = /clients-\w+/.exec(saved.portolanNft)![0]

/** What is done to our table, and the only thing that is found then. */
const damages: Readonly<Record<string, readonly [damaged: string, finding: Partial<Record<keyof Finding, unknown>>]>> =
  {
    'an element is missing': [
      withElements(saved.portolanNft, 'services', elements => elements.filter(one => !isElement(httpPlace)(one))),
      { kind: 'missing', chain: 'services', rule: '10.96.0.20 . tcp . 80 : goto balance-3', service: 'shop/web:http' },
    ],
    'an element leads elsewhere': [
      withElements(saved.portolanNft, 'endpoints-3', elements =>
        elements.map(one =>
          isElement(`${httpPlace},1`)(one) ? JSON.parse(JSON.stringify(one).replace('10.244.2.4', '10.244.2.9')) : one,
        ),
      ),
      {
        kind: 'wrong',
        chain: 'endpoints-3',
        service: 'shop/web:http',
        rule: '10.96.0.20 . tcp . 80 . 1 : 10.244.2.9 . 8080',
        wanted: '10.96.0.20 . tcp . 80 . 1 : 10.244.2.4 . 8080',
      },
    ],
    'an element is left over': [
      withElements(saved.portolanNft, 'endpoints-1', elements => [
        ...elements,
        [{ concat: ['10.96.0.20', 'tcp', 80, 0] }, { concat: ['10.244.9.9', 8080] }],
      ]),
      { kind: 'stale', chain: 'endpoints-1', service: 'shop/web:http' },
    ],
    'an element is of no service': [
      withElements(saved.portolanNft, 'services', elements => [
        ...elements,
        [{ concat: ['10.9.9.9', 'tcp', 80] }, { drop: null }],
      ]),
      { kind: 'extra', chain: 'services', rule: '10.9.9.9 . tcp . 80 : drop', service: undefined },
    ],
    'a refusal is left over': [
      withElements(saved.portolanNft, 'refused-services', elements => [
        ...elements,
        [{ concat: ['10.96.0.20', 'tcp', 443] }, { goto: { target: 'refuse' } }],
      ]),
      { kind: 'stale', chain: 'refused-services', service: 'shop/web:https' },
    ],
    'node ports at an address that the node has not': [
      withElements(saved.portolanNft, 'node-port-ips', () => ['192.168.77.11', '192.168.77.10']),
      { kind: 'extra', chain: 'node-port-ips', rule: '192.168.77.11' },
    ],
    'a hairpin is not masqueraded': [
      withElements(saved.portolanNft, 'hairpins', elements => elements.filter(one => !isElement('10.244.1.7')(one))),
      {
        kind: 'missing',
        chain: 'hairpins',
        service: 'shop/dns:dns',
        why: 'an endpoint that reaches itself is not masqueraded',
      },
    ],
    'a chain was flushed': [
      listed(saved.portolanNft, (kind, body) => (isRule(kind, body, /^outside-/, '') ? undefined : true)),
      {
        kind: 'missing',
        rule: /^:outside-/,
        service: 'shop/local',
        why: 'the chain is empty, and should have 4 rules',
      },
    ],
    'a source range is gone': [
      listed(saved.portolanNft, (kind, body) =>
        isRule(kind, body, /^guard-\w{16}$/, '198.51.100.0') ? undefined : true,
      ),
      { kind: 'missing', rule: 'ip saddr 198.51.100.0/24 return', service: 'shop/front' },
    ],
    'somebody else has a rule there': [add(extraRule('route')), { kind: 'extra', chain: 'route', rule: 'accept' }],
    'somebody else has a chain there': [
      add({ chain: { family: 'ip', table: 'portolan', name: 'mine', type: 'filter', hook: 'input', prio: -1 } }),
      { kind: 'extra', chain: 'mine', why: /hangs on filter input -1/ },
    ],
    'a chain that nothing leads to': [
      add({ chain: { family: 'ip', table: 'portolan', name: 'balance-9' } }),
      { kind: 'orphan chain', chain: 'balance-9' },
    ],
    'a map of a former state': [
      add({
        map: {
          family: 'ip',
          table: 'portolan',
          name: 'endpoints-9',
          elem: [[{ concat: ['10.96.0.20', 'tcp', 80, 0] }, { concat: ['10.244.9.9', 80] }]],
        },
      }),
      { kind: 'stale', chain: 'endpoints-9', service: 'shop/web:http' },
    ],
    'affinity ends too soon': [
      listed(saved.portolanNft, (kind, body) =>
        kind === 'set' && body['name'] === affinitySet ? { set: { ...body, timeout: 10 } } : true,
      ),
      { kind: 'wrong', service: 'shop/local', rule: 'set timeout 10s', wanted: 'set timeout 60s' },
    ],
    'a chain hangs elsewhere': [
      listed(saved.portolanNft, (kind, body) =>
        kind === 'chain' && body['name'] === 'nat-prerouting' ? { chain: { ...body, prio: 0 } } : true,
      ),
      { kind: 'wrong', chain: 'nat-prerouting', why: 'should hang on nat prerouting -100' },
    ],
    'masquerading is gone': [
      listed(saved.portolanNft, (kind, body) => (isRule(kind, body, /^nat-postrouting$/, '16384') ? undefined : true)),
      { kind: 'missing', chain: 'nat-postrouting' },
    ],
    'the table is gone': [
      listed(saved.portolanNft, () => undefined),
      { kind: 'missing', table: 'ip portolan', chain: '', why: /^the table is missing/ },
    ],
  }

t.test('each kind of damage to our table is found, and nothing else', async t => {
  for (const [what, [damaged, finding]] of Object.entries(damages)) {
    const all = ours(damaged)
    t.equal(all.length, 1, `${what}: ${all.map(({ kind, chain, why }) => `${kind} ${chain} ${why}`).join('; ')}`)
    t.match(all[0], finding, what)
  }
})

t.test("damage to kube-proxy's table", async t => {
  t.match(
    theirs(
      withElements(saved.kubeProxyNft, 'service-ips', elements => elements.filter(one => !isElement(httpPlace)(one))),
    ),
    [{ kind: 'missing', chain: 'service-ips', service: 'shop/web:http' }],
  )
  const isEndpoint = (kind: string, body: Record<string, unknown>) =>
    isRule(kind, body, /^endpoint-\w{8}-shop\/web\/tcp\/http__10\.244\.2\.4/, 'dnat')
  t.match(
    theirs(
      listed(saved.kubeProxyNft, (kind, body) =>
        isEndpoint(kind, body) ? JSON.parse(JSON.stringify({ rule: body }).replace('8080}', '8081}')) : true,
      ),
    ),
    [{ kind: 'wrong', service: 'shop/web:http', rule: /:8081$/, wanted: /:8080$/ }],
  )
  t.match(
    theirs(
      listed(saved.kubeProxyNft, (kind, body) =>
        isRule(kind, body, /^service-\w{8}-shop\/front/, 'numgen') ? undefined : true,
      ),
    ),
    [{ kind: 'missing', service: 'shop/front', rule: /^numgen/ }],
  )
  t.match(
    theirs(saved.kubeProxyNft.replaceAll('10.244.2.4/8080', '10.244.2.9/8080')).map(({ service }) => service),
    ['shop/web:http', 'shop/web:http', 'shop/web:http'],
    'an endpoint that is none: one that is missing, one that is extra, and what leads to it',
  )
})

t.test('what is none of the two', async t => {
  t.throws(() => readListed('{"nftables": 1}'), { code: 'PORTOLAN_ROUTES_DUMP' })
  t.throws(() => readListed('{'), { code: 'PORTOLAN_ROUTES_DUMP' })
})
