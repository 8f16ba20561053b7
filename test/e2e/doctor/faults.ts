/** What is broken in the lab, one thing at a time, and what `portolan doctor` has to name as the first cause. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CheckName } from '../../../src/client/doctor/check.ts'
import type { ApiObject } from '../api-client.ts'
import { namespace, service } from '../objects.ts'
import { run } from '../routes/namespace.ts'
import { configMap, dnsIP, type Lab, podObject, podStatus, pods, webService } from './lab.ts'

export interface Fault {
  readonly what: string
  /** The check that has the first cause, and what it says. */
  readonly check: CheckName
  readonly seen: RegExp
  /** Options beside the usual ones. */
  options?(lab: Lab): string[]
  plant(lab: Lab): Promise<void>
  mend(lab: Lab): Promise<void>
}

const kubeDns: ApiObject = { kind: 'Service', metadata: { namespace: 'kube-system', name: 'kube-dns' } }
const noUdp = ['-p', 'udp', '-d', pods.coredns.ip, '--dport', '53', '-j', 'DROP']

export const faults: readonly Fault[] = [
  {
    what: 'the DNS service selects nothing',
    check: 'dns service',
    seen: /kube-dns has no ready endpoint: the selector k8s-app=dns-kube selects no pod/,
    plant: ({ client }) => client.merge(kubeDns, { spec: { selector: { 'k8s-app': 'dns-kube' } } }),
    mend: ({ client }) => client.merge(kubeDns, { spec: { selector: { 'k8s-app': 'kube-dns' } } }),
  },
  {
    what: 'a DNS pod is not ready',
    check: 'dns pods',
    seen: /pod kube-system\/dns-coredns is not ready since .*fails its readiness probe/,
    plant: ({ client }) => client.writeStatus({ ...podObject('coredns'), status: podStatus(pods.coredns.ip, false) }),
    mend: ({ client }) => client.writeStatus(podObject('coredns')),
  },
  {
    what: 'no DNS pod is ready',
    check: 'dns pods',
    seen: /pod kube-system\/dns-\w+ is not ready/,
    async plant({ client }) {
      for (const name of ['coredns', 'portolan'] as const)
        await client.writeStatus({ ...podObject(name), status: podStatus(pods[name].ip, false) })
    },
    async mend({ client }) {
      for (const name of ['coredns', 'portolan'] as const) await client.writeStatus(podObject(name))
    },
  },
  {
    what: 'a DNS pod does not answer over UDP',
    check: 'direct query',
    seen: /dns-coredns does not answer \(no reply\) at 10\.244\.1\.3:53\/UDP, and answers at 10\.244\.1\.3:53\/TCP/,
    plant: async () => void run('iptables', ['-I', 'INPUT', ...noUdp]),
    mend: async () => void run('iptables', ['-D', 'INPUT', ...noUdp]),
  },
  {
    what: 'a DNS pod cannot reach its API server',
    check: 'direct query',
    seen: /dns-portolan answers SERVFAIL for kubernetes\.default\.svc\.cluster\.local/,
    plant: async lab => lab.serve('portolan', {}, await lab.deadKubeconfig()),
    mend: lab => lab.serve('portolan'),
  },
  {
    what: 'a DNS pod knows a part of the cluster',
    check: 'direct query',
    seen: /dns-coredns answers NXDOMAIN for web\.shop\.svc\.cluster\.local at 10\.244\.1\.3:53\/UDP and 10\.244\.1\.3:53\/TCP$/,
    plant: lab => lab.serve('coredns', { only: 'default' }),
    mend: lab => lab.serve('coredns'),
  },
  {
    what: 'the rule of the virtual address is missing',
    check: 'node rules',
    seen: /rules of kube-system\/kube-dns:dns: 1 missing/,
    async plant(lab) {
      lab.holdProxy(true)
      run('iptables', ['-t', 'nat', '-D', 'KUBE-SERVICES', ...ruleOf(`-d ${dnsIP}/32 -p udp`)])
    },
    mend: renewRules,
  },
  {
    what: 'rules lead to an endpoint that is gone',
    check: 'node rules',
    seen: /rules of shop\/web:http: .*stale/,
    async plant(lab) {
      lab.holdProxy(true)
      await lab.client.remove(podObject('web2'))
    },
    async mend(lab) {
      lab.holdProxy(false)
      await lab.client.create(podObject('web2'))
    },
  },
  {
    what: 'the upstream is dead',
    check: 'upstream',
    seen: /cannot tell outside\.test: SERVFAIL; 192\.0\.2\.53 itself: nothing listens there/,
    plant: lab => lab.stopUpstream(),
    mend: lab => lab.startUpstream(),
  },
  {
    what: 'the service is missing',
    check: 'name',
    seen: /web\.shop:80 has no address: there is no service web in namespace shop/,
    plant: ({ client }) => client.remove(webService()),
    mend: ({ client }) => client.create(webService()),
  },
  {
    what: 'the selector is wrong',
    check: 'endpoints',
    seen: /the selector app=wbe selects no pod of namespace shop: pods there have app=web/,
    plant: ({ client }) => client.merge(webService(), { spec: { selector: { app: 'wbe' } } }),
    mend: ({ client }) => client.merge(webService(), { spec: { selector: { app: 'web' } } }),
  },
  {
    what: 'the target port is wrong',
    check: 'target port',
    seen: /targetPort 8081 of port 80 of service shop\/web is no port of the containers of shop\/web-1/,
    plant: ({ client }) => client.merge(webService(), { spec: { ports: webPorts(8081) } }),
    mend: ({ client }) => client.merge(webService(), { spec: { ports: webPorts(8080) } }),
  },
  {
    what: 'a policy keeps the pod from the DNS server',
    check: 'network policy',
    seen: /the pod cannot ask the DNS server: .*isolated for egress by front\/deny/,
    plant: ({ client }) => client.create(denial('front', 'Egress')),
    mend: ({ client }) => client.remove(denial('front', 'Egress')),
  },
  {
    what: 'a policy keeps the pod from the endpoints',
    check: 'network policy',
    seen: /pod shop\/web-\d is isolated for ingress by shop\/deny/,
    plant: ({ client }) => client.create(denial('shop', 'Ingress')),
    mend: ({ client }) => client.remove(denial('shop', 'Ingress')),
  },
  {
    what: 'a namespace is called com',
    check: 'shadows',
    seen: /namespace com is called as a public suffix is, and has github\.com/,
    async plant({ client }) {
      await client.create(namespace('com'))
      await client.create(github)
    },
    async mend({ client }) {
      await client.remove(github)
      await client.remove(namespace('com'))
    },
  },
  {
    what: 'autopath without pods verified',
    check: 'corefile',
    seen: /Corefile:5:5: autopath @kubernetes with "pods insecure"/,
    plant: ({ client }) => writeCorefile(client, configMap({ extra: ['autopath @kubernetes'], pods: 'insecure' })),
    mend: ({ client }) => writeCorefile(client, configMap()),
  },
  {
    what: 'names are forwarded in a loop',
    check: 'corefile',
    seen: /Corefile:\d+:5: forward to 10\.96\.0\.10: the address of the DNS service/,
    async plant(lab) {
      await writeCorefile(lab.client, configMap({ forward: dnsIP }))
      await Promise.all([lab.serve('portolan', { forward: dnsIP }), lab.serve('coredns', { forward: dnsIP })])
    },
    async mend(lab) {
      await writeCorefile(lab.client, configMap())
      await Promise.all([lab.serve('portolan'), lab.serve('coredns')])
    },
  },
  {
    what: 'an Endpoints object was cut off',
    check: 'capacity',
    seen: /Endpoints shop\/big was cut off/,
    plant: ({ client }) => client.create(truncated),
    mend: ({ client }) => client.remove(truncated),
  },
  {
    what: 'conntrack fails to insert',
    check: 'conntrack',
    seen: /has failed to insert 4711 connections/,
    options: lab => ['-proc', procFolder(lab)],
    plant: async () => undefined,
    mend: async () => undefined,
  },
  {
    what: 'the pod asks another server',
    check: 'name',
    seen: /dnsPolicy None: dnsConfig alone, and 192\.0\.2\.1 cannot know web\.shop\.svc\.cluster\.local/,
    async plant({ client }) {
      await client.remove(podObject('client'))
      await client.create(podObject('client', { dnsPolicy: 'None', dnsConfig: { nameservers: ['192.0.2.1'] } }))
    },
    async mend({ client }) {
      await client.remove(podObject('client'))
      await client.create(podObject('client'))
    },
  },
]

const github = service('com/github', '10.96.0.30', ['https:443'])

const truncated: ApiObject = {
  kind: 'Endpoints',
  metadata: { namespace: 'shop', name: 'big', annotations: { 'endpoints.kubernetes.io/over-capacity': 'truncated' } },
}

function webPorts(targetPort: number): unknown {
  return [{ name: 'http', port: 80, targetPort }]
}

/** Nothing goes out of pods of the namespace, or nothing comes in. */
function denial(namespace: string, type: 'Egress' | 'Ingress'): ApiObject {
  return {
    kind: 'NetworkPolicy',
    metadata: { namespace, name: 'deny' },
    spec: { podSelector: {}, policyTypes: [type] },
  }
}

async function writeCorefile(client: Lab['client'], map: ApiObject): Promise<void> {
  await client.merge(map, { data: map['data'] })
}

/** The words of a rule that the kernel has, so that it can be deleted. */
function ruleOf(beginning: string): string[] {
  const lines = run('iptables-save', ['-t', 'nat']).split('\n')
  const rule = lines.find(line => line.startsWith(`-A KUBE-SERVICES ${beginning}`)) ?? ''
  return [...rule.matchAll(/"([^"]*)"|\S+/g)].map(([word, quoted]) => quoted ?? word).slice(2)
}

/** kube-proxy writes all rules again once one of its chains is gone. */
async function renewRules(lab: Lab): Promise<void> {
  run('iptables', ['-t', 'mangle', '-F', 'KUBE-PROXY-CANARY'])
  run('iptables', ['-t', 'mangle', '-X', 'KUBE-PROXY-CANARY'])
  lab.holdProxy(false)
  await lab.client.merge(kubeDns, { metadata: { annotations: { renewed: `${Date.now()}` } } })
}

/** The kernel's files as they are on a machine that loses insertions. */
function procFolder(lab: Lab): string {
  const folder = lab.file('proc')
  mkdirSync(join(folder, 'net/stat'), { recursive: true })
  mkdirSync(join(folder, 'sys/net/netfilter'), { recursive: true })
  cpSync(join(import.meta.dirname, '../../fixtures/proc/nf_conntrack'), join(folder, 'net/stat/nf_conntrack'))
  writeFileSync(join(folder, 'sys/net/netfilter/nf_conntrack_count'), '1200\n')
  writeFileSync(join(folder, 'sys/net/netfilter/nf_conntrack_max'), '262144\n')
  return folder
}
