/** `portolan doctor` without a network: of the scenarios of `explain` it says the same, and names the check that found it. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { CheckName } from '../../src/client/doctor/check.ts'
import type { Diagnosis } from '../../src/client/doctor/diagnosis.ts'
import { manifestsOf, scenarios } from '../explain/scenario.ts'
import { run } from '../helpers/shell.ts'

const fixtures = join(import.meta.dirname, '../fixtures')

/** By the exit code of `explain`: where the first cause may be. */
const places: Readonly<Record<number, readonly CheckName[]>> = {
  1: ['name'],
  2: ['name', 'resolv.conf', 'dns pods'],
  3: ['endpoints', 'target port', 'shadows', 'name'],
  4: ['network policy'],
}

async function diagnosed(args: readonly string[]): Promise<{ code: number; diagnosis: Diagnosis }> {
  const { code, out, err } = await run(['doctor', '-o', 'json', ...args])
  if (out === '') throw new Error(err)
  return { code, diagnosis: JSON.parse(out) }
}

for (const scenario of scenarios) {
  const { id, from, name, exit, libc = 'glibc' } = scenario
  t.test(`doctor: ${id}`, async t => {
    const { code, diagnosis } = await diagnosed([
      '-manifests',
      manifestsOf(t, scenario),
      '-from',
      from,
      '-libc',
      libc,
      name,
    ])
    const { healthy, cause } = diagnosis
    t.equal(healthy, exit === 0, cause?.seen ?? 'healthy')
    t.equal(code, exit === 0 ? 0 : 1)
    if (exit !== 0) t.ok(places[exit]?.includes(cause?.check ?? 'corefile'), `${cause?.check}: ${cause?.seen}`)
  })
}

/** A file of manifests with the base of the scenarios and more objects. */
function manifestsWith(t: Test, ...objects: readonly object[]): string {
  const folder = manifestsOf(t, scenarios[0]!)
  writeFileSync(join(folder, 'more.json'), JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
  return folder
}

function of({ checks }: Diagnosis, name: CheckName) {
  return checks.find(({ check }) => check === name)!
}

t.test('doctor: a Corefile and Endpoints among manifests', async t => {
  const corefile = '.:53 {\n    autopath @kubernetes\n    kubernetes k8s.test\n    import custom/*.override\n}\n'
  const annotations = { 'endpoints.kubernetes.io/over-capacity': 'truncated' }
  const folder = manifestsWith(
    t,
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'coredns', namespace: 'kube-system' },
      data: { Corefile: corefile },
    },
    { apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'big', namespace: 'shop', annotations } },
  )
  const { code, diagnosis } = await diagnosed(['-manifests', folder, '-from', 'front/client', 'web.shop'])
  t.equal(code, 1)
  t.match(of(diagnosis, 'corefile').findings, [{ seen: 'Corefile:2:5: autopath @kubernetes with "pods disabled"' }])
  t.match(of(diagnosis, 'capacity').findings, [{ seen: /^Endpoints shop\/big was cut off/ }])
  t.match(
    of(diagnosis, 'name').summary,
    /^web\.shop\.svc\.k8s\.test is 10\.96\.0\.20/,
    'the zone is that of the Corefile',
  )
})

t.test('doctor: a Corefile with a mistake', async t => {
  const folder = manifestsWith(t)
  const conf = join(t.testdir({ Corefile: '.:53 {\n    errors\n' }), 'Corefile')
  const { diagnosis } = await diagnosed(['-manifests', folder, '-conf', conf])
  t.match(diagnosis.cause, { check: 'corefile', seen: /Corefile:1:6: this "\{" is never closed$/ })
})

t.test('doctor: saved rules, and files of the kernel', async t => {
  const proc = t.testdir()
  mkdirSync(join(proc, 'net/stat'), { recursive: true })
  const rules = ['iptables-save.txt', 'ip6tables-save.txt'].map(name => join(fixtures, 'routes', name)).join()
  const args = [
    '-manifests',
    join(fixtures, 'routes/cluster.yaml'),
    '-node',
    'worker-1',
    '-rules',
    rules,
    '-proc',
    proc,
  ]
  const { diagnosis } = await diagnosed(args)
  t.match(of(diagnosis, 'node rules'), { outcome: 'ok', summary: /^node worker-1 has the \d+ rules/ })
  t.match(of(diagnosis, 'conntrack'), { outcome: 'skipped', summary: `${proc} has no conntrack` })
})

t.test('doctor: what is skipped says why', async t => {
  const folder = manifestsWith(t)
  const { code, out } = await run(['doctor', '-manifests', folder, '-queries', 'never'])
  t.equal(code, 0)
  t.match(out, /^- direct query {4}skipped, virtual address, upstream: nobody is asked \(-queries never\)$/m)
  t.match(out, /^- name {12}skipped, endpoints, target port: no name was given$/m)
})

t.test('doctor: command lines that make no sense', async t => {
  const folder = manifestsWith(t)
  const refused = async (args: readonly string[], pattern: RegExp) => {
    const { code, err } = await run(['doctor', '-manifests', folder, ...args])
    t.equal(code, 2)
    t.match(err, pattern)
  }
  await refused(['web.shop'], /who asks for it\? give -from NAMESPACE\/POD/)
  await refused(['-from', 'client', 'web.shop'], /from is NAMESPACE\/POD, got "client"/)
  await refused(['-queries', 'often'], /-queries is auto, always or never, got "often"/)
  await refused(['-rules', 'x'], /of which node are the rules\? give -node NAME/)
  const { code, err } = await run(['doctor', '-manifests', folder, '-rules', 'none.txt', '-node', 'n1'])
  t.equal(code, 1)
  t.match(err, /cannot read none\.txt/)
})
