import { copyFileSync, readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import t from 'tap'
import { definition } from '../../src/plugins/prometheus/index.ts'
import { readWebConfig } from '../../src/plugins/prometheus/web-config.ts'
import { testHub } from '../helpers/http.ts'
import { pluginBench } from '../helpers/plugin.ts'

const fixtures = join(import.meta.dirname, '../fixtures/tls')
const fixture = (name: string) => readFileSync(join(fixtures, name))

/** Asks for the metrics by HTTPS; resolves to the status and whom the certificate names. */
function scrape(port: number, client?: string): Promise<{ status: number | undefined; subject: unknown }> {
  const own = client === undefined ? {} : { cert: fixture(`${client}.crt`), key: fixture(`${client}.key`) }
  const checkServerIdentity = () => undefined
  const options = { host: '127.0.0.1', port, path: '/metrics', agent: false as const, ca: fixture('ca.crt') }
  return new Promise((resolve, reject) => {
    const asked = request({ ...options, ...own, checkServerIdentity }, response => {
      const subject = (response.socket as TLSSocket).getPeerCertificate().subject.CN
      response.resume().on('end', () => resolve({ status: response.statusCode, subject }))
    })
    asked.on('error', reject).end()
  })
}

const pair = 'tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n'

/** Puts the certificates that `pair` names into a folder. */
function withCertificates(directory: string): string {
  for (const name of ['server.crt', 'server.key', 'ca.crt']) copyFileSync(join(fixtures, name), join(directory, name))
  return directory
}

t.test('metrics over HTTPS, with certificates that may be replaced', async t => {
  const directory = withCertificates(t.testdir({ 'web.yml': pair }))
  const http = testHub(t)
  const text = 'prometheus 127.0.0.1:0 {\ntls web.yml\n}'
  const { plugin, clock, lines } = pluginBench(definition, text, { directory, context: { http } })
  await plugin.start?.()
  t.strictSame(await scrape(http.port), { status: 200, subject: 'localhost' })
  await t.rejects(http.get('/metrics'), 'plain HTTP is not served')

  const until = async (happened: () => boolean) => {
    while (!happened()) await new Promise(resolve => setImmediate(resolve))
  }
  const before = http.port
  copyFileSync(join(fixtures, 'client-a.crt'), join(directory, 'server.crt'))
  clock.advance(60_000)
  await until(() => lines.length > 0)
  t.match(lines, [/^\[WARNING\] the certificates stay as they are: .*web\.yml: .*key values mismatch/])
  t.strictSame(await scrape(before), { status: 200, subject: 'localhost' })

  copyFileSync(join(fixtures, 'client-a.key'), join(directory, 'server.key'))
  clock.advance(60_000)
  // Port 0 gives each claim a listener of its own.
  await until(() => http.port !== before)
  t.strictSame(await scrape(http.port), { status: 200, subject: 'client-a' })
  await plugin.stop?.()
  clock.advance(60_000)
  await t.rejects(scrape(http.port))
})

t.test('clients may need a certificate', async t => {
  const webConfig = `${pair}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n`
  const directory = withCertificates(t.testdir({ 'web.yml': webConfig }))
  const http = testHub(t)
  const { plugin } = pluginBench(definition, 'prometheus 127.0.0.1:0 {\ntls web.yml\n}', {
    directory,
    context: { http },
  })
  await plugin.start?.()
  t.match(await scrape(http.port, 'client-b'), { status: 200 })
  await t.rejects(scrape(http.port))
  await plugin.stop?.()
})

t.test('a second claim of the address must agree on TLS', async t => {
  const hub = testHub(t)
  const tls = { cert: fixture('server.crt'), key: fixture('server.key') }
  await hub.claim('127.0.0.1:0', {}, 'first', tls)
  const address = `127.0.0.1:${hub.port}`
  // The hub knows the listener by what was asked for, so ask for the port that is free now.
  await hub.close()
  await hub.claim(address, { '/metrics': (_request, response) => void response.end() }, 'first', tls)
  await t.rejects(hub.claim(address, {}, 'second'), {
    code: 'PORTOLAN_HTTP_LISTEN',
    message: /^second: .* by a restart$/,
  })
  await t.rejects(hub.claim(address, {}, 'second', { ...tls, requestCert: true }), { code: 'PORTOLAN_HTTP_LISTEN' })
  await hub.claim(address, {}, 'second', { cert: fixture('client-a.crt'), key: fixture('client-a.key') })
  t.match(await scrape(hub.port), { status: 200, subject: 'client-a' }, 'the newest certificate counts')
})

t.test('the web configuration', async t => {
  const read = (text: string) => {
    const directory = withCertificates(t.testdir({ 'web.yml': text }))
    return readWebConfig(join(directory, 'web.yml'))
  }
  t.equal(await read('tls_server_config:\n').catch(({ message }) => /must be a mapping$/.test(message)), true)
  t.equal(await read(''), undefined, 'no TLS')
  t.match(await read(pair), { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' })
  t.match(await read(`${pair}  min_version: TLS13\n  client_auth_type: RequestClientCert\n`), {
    minVersion: 'TLSv1.3',
    requestCert: true,
    rejectUnauthorized: false,
  })
  const mistakes: [text: string, message: RegExp][] = [
    ['tls_server_config: [', /Flow sequence/],
    ['- x', /the file must be a mapping$/],
    [`basic_auth_users:\n  a: b\n${pair}`, /basic_auth_users is not supported$/],
    [`${pair}  cipher_suites: []\n`, /cipher_suites is not supported$/],
    ['tls_server_config:\n  cert_file: server.crt\n', /key_file must name a file$/],
    ['tls_server_config:\n  cert_file: missing.crt\n  key_file: server.key\n', /ENOENT.*missing\.crt/],
    [`${pair}  client_ca_file: ca.crt\n`, /client_ca_file needs a client_auth_type$/],
    [`${pair}  client_auth_type: Never\n`, /client_auth_type must be one of NoClientCert, .*, got "Never"$/],
    [`${pair}  min_version: 12\n`, /min_version must be one of TLS10, .*, got 12$/],
  ]
  for (const [text, message] of mistakes) await t.rejects(read(text), { code: 'PORTOLAN_WEB_CONFIG', message })
})

t.test('a file that cannot be read stops the start', async t => {
  const directory = t.testdir({})
  const { plugin } = pluginBench(definition, 'prometheus {\ntls web.yml\n}', { directory })
  await t.rejects(plugin.start!(), { code: 'PORTOLAN_WEB_CONFIG', message: /^.*web\.yml: ENOENT/ })
  t.throws(() => pluginBench(definition, 'prometheus {\ntls\n}'), {
    message: 'Corefile:3:1: prometheus: tls needs its file',
  })
})
