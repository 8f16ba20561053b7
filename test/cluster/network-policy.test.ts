import t from 'tap'
import { describe, trim } from '../../src/cluster/trim.ts'

const metadata = { name: 'web', namespace: 'shop' }
const policy = (spec: object) => trim('NetworkPolicy', { metadata, spec })
const everything = { matchLabels: {}, matchExpressions: [] }

t.test('trim: which directions a policy speaks of', async t => {
  const cases: [spec: object, ingress: boolean, egress: boolean][] = [
    [{}, true, false],
    [{ ingress: [{}] }, true, false],
    [{ egress: [{}] }, true, true],
    [{ egress: [] }, true, false],
    [{ policyTypes: [], egress: [{}] }, true, true],
    [{ policyTypes: ['Egress'] }, false, true],
    [{ policyTypes: ['Egress'], ingress: [{}] }, false, true],
    [{ policyTypes: ['Ingress'], egress: [{}] }, true, false],
    [{ policyTypes: ['Ingress', 'Egress'] }, true, true],
  ]
  for (const [spec, ingress, egress] of cases) {
    const { object } = policy({ podSelector: {}, ...spec })
    t.same([object?.ingress !== undefined, object?.egress !== undefined], [ingress, egress], JSON.stringify(spec))
  }
})

t.test('trim: rules, peers and ports of a policy', async t => {
  const ingress = [
    {},
    {
      from: [
        { podSelector: {} },
        { namespaceSelector: { matchLabels: { team: 'a' } }, podSelector: {} },
        { ipBlock: { cidr: '192.0.2.0/24', except: ['192.0.2.1/32'] } },
      ],
      ports: [{}, { port: 'http', protocol: 'UDP' }, { port: 80 }, { port: 8000, endPort: 8080 }],
    },
  ]
  t.same(policy({ podSelector: null, ingress }).object, {
    kind: 'NetworkPolicy',
    ...metadata,
    labels: {},
    podSelector: everything,
    ingress: [
      { peers: [], ports: [] },
      {
        peers: [
          { podSelector: everything, namespaceSelector: undefined },
          { podSelector: everything, namespaceSelector: { matchLabels: { team: 'a' }, matchExpressions: [] } },
          { block: { cidr: '192.0.2.0/24', except: ['192.0.2.1/32'] } },
        ],
        ports: [
          { protocol: 'TCP', port: undefined, endPort: undefined },
          { protocol: 'UDP', port: 'http', endPort: undefined },
          { protocol: 'TCP', port: 80, endPort: 80 },
          { protocol: 'TCP', port: 8000, endPort: 8080 },
        ],
      },
    ],
    egress: undefined,
  })
})

t.test('trim: a policy that the API does not take', async t => {
  const peer = (peer: object) => ({ ingress: [{ from: [peer] }] })
  const port = (port: object) => ({ ingress: [{ ports: [port] }] })
  const cases: [spec: object, message: string][] = [
    [{ policyTypes: ['Both'] }, 'spec.policyTypes must be Ingress, Egress, got ["Both"]'],
    [peer({}), 'spec.ingress[0].from[0].podSelector is missing'],
    [peer({ ipBlock: {}, podSelector: {} }), 'spec.ingress[0].from[0].ipBlock must be alone in its peer, got {}'],
    [
      peer({ ipBlock: { cidr: '10.0.0.1' } }),
      'spec.ingress[0].from[0].ipBlock.cidr must be a CIDR range, got "10.0.0.1"',
    ],
    [
      peer({ ipBlock: { cidr: '10.0.0.0/8', except: ['x'] } }),
      'spec.ingress[0].from[0].ipBlock.except must be CIDR ranges, got ["x"]',
    ],
    [
      port({ port: 'http', endPort: 9 }),
      'spec.ingress[0].ports[0].endPort must be absent where port is no number, got 9',
    ],
    [
      port({ port: 80, endPort: 79 }),
      'spec.ingress[0].ports[0].endPort must be a whole number from 80 to 65535, got 79',
    ],
  ]
  for (const [spec, message] of cases) {
    const { problem } = policy(spec)
    t.equal(problem && describe(problem), `NetworkPolicy shop/web: ${message}`)
  }
})
