/**
 * `npm run test:image`: `dist/` alone, beside Node, is the whole product, and serves with no right but to listen on port 53. Needs
 * root and namespaces, and touches nothing outside of its own. Ends with the line `N passed, N failed`.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Container, isThere, listing, makeImage, obstacle } from './container.ts'

const ROOT = join(import.meta.dirname, '../..')
const DIST = join(ROOT, 'dist')
/** NET_BIND_SERVICE, as /proc writes a set of capabilities. */
const BIND_ONLY = (1 << 10).toString(16).padStart(16, '0')

let passed = 0
let failed = 0

function check(what: string, found: unknown, wanted: string | number | RegExp): void {
  const holds = wanted instanceof RegExp ? wanted.test(String(found)) : found === wanted
  if (holds) passed++
  else failed++
  process.stdout.write(`${holds ? 'ok' : 'NOT OK'} - ${what}\n`)
  if (!holds) process.stdout.write(`  wanted ${wanted}\n  found ${found}\n`)
}

/** Runs a command in a container, to its end. */
async function once(root: string, ...args: string[]) {
  const container = new Container(root, args)
  running.add(container)
  return container.ended
}

/** What dig says of a question, or `portolan query` where dig is not installed. */
async function dig(container: Container, protocol: 'udp' | 'tcp', ...question: string[]): Promise<string> {
  const args = ['@127.0.0.1', ...question, ...(protocol === 'tcp' ? ['+tcp'] : [])]
  const { stdout } = isThere('dig')
    ? await container.run('dig', ['+tries=1', '+time=2', ...args])
    : await container.run(process.execPath, [join(DIST, 'portolan.js'), 'query', ...args])
  return stdout.trim()
}

async function get(container: Container, address: string): Promise<string> {
  const script = `const r = await fetch('http://127.0.0.1${address}'); console.log(r.status, await r.text())`
  return (await container.run(process.execPath, ['--input-type=module', '--eval', script])).stdout
}

async function untilReady(container: Container): Promise<void> {
  const deadline = performance.now() + 30_000
  while (performance.now() < deadline && !(await get(container, ':8181/ready')).startsWith('200')) await pause(100)
}

async function serves(root: string): Promise<void> {
  const container = new Container(root, ['-conf', '/etc/coredns/Corefile'])
  running.add(container)
  await untilReady(container)

  check('the user is not root', container.status('Uid'), '65532 65532 65532 65532')
  check('nor is the group', container.status('Gid'), '65532 65532 65532 65532')
  check('no privileges can be gained', container.status('NoNewPrivs'), '1')
  for (const set of ['CapPrm', 'CapEff', 'CapBnd'])
    check(`${set} is NET_BIND_SERVICE`, container.status(set), BIND_ONLY)
  check('Node has it from its file', container.status('CapAmb'), '0'.repeat(16))
  check('the root file system is read-only', container.rootOptions, /^ro\b/)

  for (const protocol of ['udp', 'tcp'] as const) {
    const answer = (name: string, type: string) => dig(container, protocol, name, type, '+short')
    check(`A over ${protocol}`, await answer('kube-dns.kube-system.svc.cluster.local', 'A'), '10.96.0.10')
    check(
      `PTR over ${protocol}`,
      await answer('10.0.96.10.in-addr.arpa', 'PTR'),
      'kube-dns.kube-system.svc.cluster.local.',
    )
    const srv = await answer('_dns-tcp._tcp.kube-dns.kube-system.svc.cluster.local', 'SRV')
    check(`SRV over ${protocol}`, srv, '0 100 53 kube-dns.kube-system.svc.cluster.local.')
    const denial = await dig(container, protocol, 'none.shop.svc.cluster.local', 'A')
    check(`NXDOMAIN over ${protocol}`, denial, /status: NXDOMAIN.*\scluster\.local\.\s+\d+\s+IN\s+SOA\s/s)
  }
  check('UDP goes in batches, with what dist/ has for it', container.mapped, /\/node_modules\/.*\/koffi\.node$/m)
  check('health', await get(container, ':8080/health'), /^200 OK/)
  check(
    'metrics count the queries',
    await get(container, ':9153/metrics'),
    /^coredns_dns_requests_total\{.*proto="tcp"/m,
  )
  check('metrics of the process', await get(container, ':9153/metrics'), /^process_open_fds [1-9]/m)

  container.signal('SIGTERM')
  const { code, stdout, stderr } = await container.ended
  check('SIGTERM ends it with', code, 0)
  check('no error was logged', `${stdout}${stderr}`, /^(?!.*\[(ERROR|PANIC)\])/s)
}

async function tells(root: string): Promise<void> {
  check('version', (await once(root, 'version')).stdout, /^portolan \d+\.\d+\.\d+\n/)
  const checked = await once(root, 'check', '/etc/coredns/Corefile')
  check('check', checked.code === 0 ? checked.stdout : checked.stderr, /no mistake/)
  check('plugins kubernetes', (await once(root, 'plugins', 'kubernetes')).stdout, /^# kubernetes\n/)
  const outside = await once(root, '-conf', '/etc/coredns/Corefile.kubernetes')
  check('outside of a cluster it ends with', outside.code, 1)
  check('and says why', outside.stderr, /^portolan: .*KUBERNETES_SERVICE_HOST/)
}

const running = new Set<Container>()
const reason = obstacle()
if (reason !== undefined) {
  process.stdout.write(`skipped: ${reason}\n`)
} else {
  const root = mkdtempSync(join(tmpdir(), 'portolan-image-'))
  process.once('exit', () => {
    for (const container of running) container.kill()
    rmSync(root, { recursive: true, force: true })
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
  execFileSync(process.execPath, [join(ROOT, 'build.ts')], { stdio: 'inherit' })
  makeImage(root, DIST, {
    '/etc': join(import.meta.dirname, 'etc'),
    '/etc/coredns/Corefile.kubernetes': join(ROOT, 'config/Corefile.kubernetes'),
    '/etc/coredns/manifests': join(ROOT, 'config/manifests'),
  })
  const before = listing(root)
  await serves(root)
  await tells(root)
  check('nothing was written', listing(root).join('\n'), before.join('\n'))
}
process.stdout.write(`${passed} passed, ${failed} failed\n`)
process.exitCode = failed === 0 ? 0 : 1
