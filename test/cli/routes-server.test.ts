/** `portolan routes -server URL`: what a running server says is what is said of the same manifests. */
import t, { type Test } from 'tap'
import { httpGet } from '../../src/net/http-get.ts'
import { systemClock } from '../../src/observe/clock.ts'
import { testHub } from '../helpers/http.ts'
import { serve } from '../helpers/serve.ts'
import { run } from '../helpers/shell.ts'

const manifests = 'config/manifests'

async function server(t: Test, options = ''): Promise<string> {
  const http = testHub(t)
  const corefile = `cluster.local {\n kubernetes {\n manifests ${manifests}\n}\n routes 127.0.0.1:0 {\n${options}\n}\n}\n`
  await serve(t, corefile, { http })
  const url = `http://127.0.0.1:${http.port}`
  const known = async () => (await httpGet(new URL('/routes', url), 5000, 1e9)).status === 200
  while (!(await known())) await new Promise(setImmediate)
  return url
}

function seeded(): () => number {
  let state = 1
  return () => (state = (state * 48_271) % 0x7fffffff) / 0x7fffffff
}

t.test('the same words from the same cluster', async t => {
  const url = await server(t)
  const pods = '-from shop/cart-0'
  for (const words of [
    'list',
    'list -o json -family 4',
    'list -node worker-1 -o yaml',
    'lookup 10.96.0.10:53/UDP',
    'lookup 10.96.0.10:53/UDP -o json',
    'lookup 10.96.0.10:53/UDP -node worker-1 -from 10.244.1.7 -cluster-cidr 10.244.0.0/16 -o yaml',
    'lookup 10.96.0.10:53/UDP -node worker-1 -masquerade-all',
    `lookup 10.96.10.10:80 ${pods}`,
    'lookup 10.96.10.10:81',
    'lookup 10.96.10.10',
    'lookup 10.96.10.10:80 -node worker-7',
    'lookup 10.96.10.10:80 -from shop/nobody',
    'simulate 10.96.10.10:80 -clients 500',
    'simulate 10.96.10.10:80 -clients 500 -o json',
    'render iptables -family 4 -node worker-1 -nodeport-addresses primary -no-jumps',
    'render nftables -node worker-2 -cluster-cidr 10.244.0.0/16',
    'render iptables -node worker-1',
    'render nftables',
    'list -family 5',
  ]) {
    const ask = (...where: string[]) =>
      run(['routes', ...words.split(' '), ...where], { random: seeded(), clock: systemClock })
    const local = await ask('-manifests', manifests)
    t.strictSame(await ask('-server', url), local, words)
    t.ok(local.out !== '' || local.err !== '', words)
  }
})

t.test('what the server is told to take for granted', async t => {
  const url = await server(t, 'masquerade_all')
  const { out } = await run(['routes', 'lookup', '10.96.10.10:80', '-server', url])
  t.match(out, 'masqueraded: all that goes to cluster addresses is')
})

t.test('a URL that is none, or leads elsewhere', async t => {
  const list = async (...where: string[]) => {
    const { code, err } = await run(['routes', 'list', ...where])
    return `${code} ${err}`
  }
  t.match(await list('-server', 'http://'), /^2 .*-server is a URL such as http:\/\/127\.0\.0\.1:9154, got "http:\/\/"/)
  t.match(await list('-server', 'x', '-manifests', 'y'), /^2 .*-server and -manifests are two clusters: give one/)
  t.match(
    await list('-server', '127.0.0.1:1'),
    /^1 .*no answer from http:\/\/127\.0\.0\.1:1: .*does its Corefile have "routes"\?/,
  )
  const http = testHub(t)
  await http.claim(
    '127.0.0.1:0',
    {
      '/routes': (_, response) => void response.end('hello'),
      '/x/routes': (_, response) => void response.writeHead(500).end(),
    },
    'test',
  )
  t.match(await list('-server', `127.0.0.1:${http.port}`), /^1 .*answers, but not as one with the plugin "routes"/)
  t.match(
    await list('-server', `http://127.0.0.1:${http.port}/x/`),
    /^1 .*answers 500, not as a server with the plugin/,
  )
  t.match(await list('-server', `http://127.0.0.1:${http.port}/y`), /^1 .*answers 404, not as a server with the plugin/)
})
