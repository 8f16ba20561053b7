/** What the walks are compared at: resolv.conf options, names and what servers do. */
import type { Script } from './script.ts'

export interface Case {
  /** `$1`, `$2`, … stand for the addresses of the servers. */
  readonly resolvConf: string
  readonly name: string
  readonly family: '0' | '4' | '6'
  readonly script: Script
  /** Of the machine; without a domain unless given. */
  readonly hostname?: string
  /** Where other libraries are not to be asked: what it shows is one library's own. */
  readonly only?: 'glibc' | 'musl'
}

const pod = 'search shop.svc.cluster.local svc.cluster.local cluster.local'
const conf = (options = '', search = pod, servers = 1) =>
  [
    ...(search ? [search] : []),
    ...Array.from({ length: servers }, (_, i) => `nameserver $${i + 1}`),
    ...(options ? [`options ${options}`] : []),
    '',
  ].join('\n')

const names = ['web', 'web.shop', 'web.shop.svc', 'a.b.c.d.e', 'a.b.c.d.e.f', 'web.', 'shop.example.']

/** Where the walk has no reason to wait. */
const quick: readonly Script[] = [
  [],
  [{ does: 'exists', name: /\.svc\.cluster\.local$/ }],
  [
    { does: 'exists', name: /^web\.(shop\.)?svc\.cluster\.local$/, type: 'A' },
    { does: 'nodata', name: /\.local$/ },
  ],
  [
    { does: 'servfail', name: /^[^.]+(\.shop)?\.shop\.svc/ },
    { does: 'exists', type: 'AAAA' },
  ],
]

const ndots: readonly Case[] = ['ndots:5', 'ndots:2', '', 'ndots:0', 'ndots:99'].flatMap(options =>
  names.flatMap(name =>
    quick
      .slice(0, options === 'ndots:5' ? 4 : 2)
      .map(script => ({ resolvConf: conf(options), name, family: '0', script }) as const),
  ),
)

/** How the servers fail, each with both families and with one. */
const failures: readonly Script[] = [
  [{ does: 'nodata' }],
  [{ does: 'servfail' }],
  [{ does: 'refused' }],
  [{ does: 'notimp' }],
  [{ does: 'formerr' }],
  [{ does: 'lame' }],
  [{ does: 'truncated' }],
  [{ does: 'hangup' }],
  [{ does: 'alias' }],
  [{ does: 'dangling' }],
  [{ does: 'servfail', type: 'AAAA' }, { does: 'exists' }],
  [{ does: 'servfail', type: 'A' }, { does: 'exists' }],
  [{ does: 'nxdomain', type: 'AAAA' }, { does: 'exists' }],
  [{ does: 'nxdomain', type: 'A' }, { does: 'exists' }],
  [
    { does: 'nodata', type: 'A' },
    { does: 'nxdomain', type: 'AAAA' },
  ],
  [
    { does: 'nxdomain', type: 'A' },
    { does: 'nodata', type: 'AAAA' },
  ],
  [{ does: 'nodata', type: 'A' }, { does: 'servfail' }],
  [{ does: 'servfail', type: 'A' }, { does: 'nodata' }],
  [{ does: 'truncated', type: 'AAAA' }, { does: 'exists' }],
  [{ does: 'servfail', transport: 'tcp' }, { does: 'truncated' }],
  [{ does: 'refused', type: 'AAAA' }, { does: 'exists' }],
  [{ does: 'silence' }],
  [{ does: 'silence', type: 'AAAA' }, { does: 'exists' }],
  [{ does: 'silence', type: 'A' }, { does: 'exists' }],
  [{ does: 'silence', type: 'AAAA' }],
  [{ does: 'absent' }],
]

const failing: readonly Case[] = failures.flatMap(script => [
  {
    resolvConf: conf('timeout:1 attempts:1 ndots:5', 'search svc.test cluster.test'),
    name: 'web',
    family: '0',
    script,
  },
  { resolvConf: conf('timeout:1 ndots:1', 'search svc.test'), name: 'web.shop', family: '4', script },
])

/** With two servers and more: what the next one is asked. musl asks all at once, so only one of them may answer in a way that shows. */
const several: readonly Case[] = (
  [
    [{ does: 'refused', server: 1 }, { does: 'exists' }],
    [{ does: 'silence', server: 1 }, { does: 'exists' }],
    [{ does: 'silence', server: 1, type: 'AAAA' }, { does: 'exists' }],
    [{ does: 'absent', server: 1 }, { does: 'exists' }],
    [
      { does: 'absent', server: 1 },
      { does: 'silence', server: 2 },
    ],
    [{ does: 'silence' }],
    [{ does: 'absent' }],
    [{ does: 'servfail', server: 1 }, { does: 'silence' }],
    [{ does: 'truncated', server: 1 }, { does: 'silence' }],
    [
      { does: 'hangup', server: 1 },
      { does: 'silence', transport: 'udp' },
    ],
  ] as const satisfies readonly Script[]
).flatMap(script => severalServers(script))

const inTurn: readonly Case[] = (
  [
    [{ does: 'servfail' }],
    [{ does: 'servfail', server: 1 }],
    [{ does: 'lame', server: 1 }, { does: 'exists' }],
    [{ does: 'servfail', server: 1 }, { does: 'silence', server: 2 }, { does: 'exists' }],
    [{ does: 'hangup', server: 1 }, { does: 'exists' }],
    [{ does: 'servfail', type: 'A', server: 1 }, { does: 'servfail', type: 'AAAA', server: 1 }, { does: 'nodata' }],
  ] as const satisfies readonly Script[]
).flatMap(script => severalServers(script).map(one => ({ ...one, only: 'glibc' }) as const))

function severalServers(script: Script): Case[] {
  return [
    { resolvConf: conf('timeout:1 attempts:2', 'search svc.test', 2), name: 'web', family: '0', script },
    { resolvConf: conf('timeout:1 attempts:1', 'search svc.test', 3), name: 'web.shop', family: '0', script },
    { resolvConf: conf('timeout:1 attempts:1', 'search svc.test', 2), name: 'web', family: '6', script },
  ]
}

/** Options that change how is asked, not what. */
const manners: readonly Case[] = [
  'single-request',
  'single-request-reopen',
  'use-vc',
  'edns0',
  'trust-ad',
  'edns0 trust-ad',
  'no-aaaa',
  'no-tld-query',
  'rotate',
].flatMap(options =>
  (
    [
      [[], '0'],
      [[{ does: 'exists', name: /^web\.svc/ }], '0'],
      [[{ does: 'servfail', type: 'A' }, { does: 'exists' }], '0'],
      // Over TCP glibc waits for ever.
      [[{ does: 'silence', type: 'AAAA', transport: 'udp' }, { does: 'exists' }], '0'],
      [[{ does: 'truncated' }], '0'],
      [[{ does: 'absent', server: 1 }], '0'],
      [[], '6'],
    ] as const satisfies readonly (readonly [Script, Case['family']])[]
  ).map(([script, family]) => ({
    resolvConf: conf(`timeout:1 attempts:2 ndots:2 ${options}`, 'search shop.test svc.test', 2),
    name: 'web',
    family,
    script,
    // musl knows none of them.
    only: 'glibc',
  })),
)

const mannersOfMusl: readonly Case[] = [
  {
    resolvConf: conf('rotate use-vc single-request no-aaaa edns0 ndots:2'),
    name: 'web',
    family: '0',
    script: [],
    only: 'musl',
  },
  {
    resolvConf: conf('single-request timeout:1'),
    name: 'web',
    family: '0',
    script: [{ does: 'silence', type: 'AAAA' }, { does: 'exists' }],
    only: 'musl',
  },
]

/** How the file is read. */
const reading: readonly Case[] = [
  conf('', ''),
  conf('ndots:3', 'domain one.test'),
  conf('ndots:3', 'domain one.test two.test'),
  conf('ndots:3', 'domain one.test\nsearch two.test three.test'),
  conf('ndots:3', 'search one.test\ndomain two.test'),
  conf('ndots:3', 'search one.test\nsearch'),
  conf('ndots:3', 'search one.test. two.test.'),
  conf('ndots:3', `search ${Array.from({ length: 12 }, (_, i) => `d${i}.test`).join(' ')}`),
  conf('ndots:3', `search ${Array.from({ length: 32 }, (_, i) => `domain-${i}.test`).join('\t')}`),
  conf('ndots:3', ' search one.test'),
  conf('ndots:3', 'search\tone.test  two.test \t'),
  conf('ndots:3', `search ${'x'.repeat(64)}.test one.test`),
  conf('ndots:3', `search ${Array.from({ length: 24 }, () => 'too-long-').join('.')}.test one.test`),
  conf('timeout:1 attempts:1 ndots:2\noptions ndots:3', 'search one.test'),
  conf('ndots: ndots:x', 'search one.test'),
  conf('ndots:3 debug inet6 unknown', '# comment\n; comment\nsearch one.test'),
  'nameserver $1 ; this one\nsearch one.test # not this\n',
  'nameserver nonsense\nnameserver $1\nsearch one.test',
  'search one.test\nnameserver $1\nnameserver $2\nnameserver $3\nnameserver $4\noptions timeout:1 attempts:1\n',
].flatMap(resolvConf => ['web', 'web.shop'].map(name => ({ resolvConf, name, family: '0', script: [] }) as const))

const oddities: readonly Case[] = [
  { resolvConf: conf('ndots:5', 'search one.test . two.test'), name: 'web', family: '0', script: [], only: 'glibc' },
  { resolvConf: conf('ndots:5', 'search .one.test'), name: 'web', family: '0', script: [], only: 'glibc' },
  { resolvConf: conf('', ''), name: 'web', family: '0', script: [], hostname: 'node-1.corp.test' },
  { resolvConf: conf('attempts:0'), name: 'web', family: '0', script: [], only: 'glibc' },
  { resolvConf: conf('timeout:0 attempts:1'), name: 'web', family: '0', script: [{ does: 'silence' }] },
  { resolvConf: conf('timeout:2 attempts:3', ''), name: 'web', family: '4', script: [{ does: 'silence' }] },
  {
    resolvConf: conf('rotate timeout:1', 'search one.test two.test three.test', 3),
    name: 'web',
    family: '4',
    script: [],
  },
  { resolvConf: conf('no-tld-query', ''), name: 'web', family: '0', script: [] },
  { resolvConf: conf('no-tld-query'), name: 'web.shop', family: '0', script: [] },
  ...['10.1', '0x7f.1', '1234', '2001:db8::2', '192.0.2.9'].map(
    name => ({ resolvConf: conf(), name, family: '0', script: [] }) as const,
  ),
  ...['web..', '-web', 'we b', 'web..shop', 'under_score', `${'x'.repeat(64)}.test`, '.'].map(
    name => ({ resolvConf: conf(), name, family: '0', script: [] }) as const,
  ),
  // Node makes small letters of them before glibc sees them.
  { resolvConf: conf(), name: 'WEB.Shop', family: '0', script: [], only: 'musl' },
]

export const cases: readonly Case[] = [
  ...ndots,
  ...failing,
  ...several,
  ...inTurn,
  ...manners,
  ...mannersOfMusl,
  ...reading,
  ...oddities,
]
