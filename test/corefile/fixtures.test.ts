import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import t from 'tap'
import { checkOverlaps, checkPlugins, checkTransports } from '../../src/corefile/checks.ts'
import { type CorefileWarning, warningText } from '../../src/corefile/errors.ts'
import { type CorefileFiles, diskFiles } from '../../src/corefile/files.ts'
import { serverAddressText } from '../../src/corefile/keys.ts'
import { parseCorefile } from '../../src/corefile/parser.ts'
import { PortolanError } from '../../src/errors.ts'
import { readPlugins, samplePlugins } from './sample-plugins.ts'

const folder = join(import.meta.dirname, '../fixtures/corefiles')
const env = { ZONE: 'example.org', EMPTY: '', PILLAR_LOCAL_DNS: '169.254.20.10' }

function corefilesIn(kind: string): string[] {
  return readdirSync(join(folder, kind)).filter(name => name.endsWith('.corefile'))
}

/** The disk, seen from a folder, so that positions in imported files do not depend on where the tests run. */
function filesIn(root: string): CorefileFiles {
  return {
    read: path => diskFiles.read(join(root, path)),
    glob: pattern => diskFiles.glob(join(root, pattern)).map(path => relative(root, path)),
  }
}

t.test('every bad Corefile gives the error of its first line', async t => {
  const files = filesIn(join(folder, 'bad'))
  for (const name of corefilesIn('bad')) {
    const text = readFileSync(join(folder, 'bad', name), 'utf8')
    const [expected] = text.slice(2).split('\n')
    const check = () => {
      const blocks = parseCorefile(text, { env, files })
      checkPlugins(blocks, Object.keys(samplePlugins))
      checkTransports(blocks, ['dns', 'tls', 'https'])
      checkOverlaps(blocks)
      blocks.forEach(readPlugins)
    }
    const error = thrownBy(check)
    t.type(error, PortolanError, name)
    t.equal(error?.message, expected, name)
  }
})

const good: Record<string, string[]> = {
  'aks.corefile': [
    'dns://.:53: errors ready health kubernetes prometheus forward cache loop reload loadbalance log rewrite template template',
    'dns://corp.example.com.:53 dns://example.net.:53: errors cache forward',
  ],
  'bound-apart.corefile': ['dns://.:1053: bind whoami', 'dns://.:1053: bind whoami'],
  'comment.corefile': [],
  'empty-blocks.corefile': ['dns://example.org.:53: ', 'dns://example.net.:53: cache', 'dns://example.com.:53: '],
  'empty.corefile': [],
  'helm.corefile': ['dns://.:53: errors health ready kubernetes prometheus forward cache loop reload loadbalance'],
  'k3s.corefile': ['dns://.:53: errors health ready kubernetes hosts prometheus cache loop reload loadbalance forward'],
  'key-alone.corefile': ['dns://example.org.:1053: '],
  'kubeadm.corefile': ['dns://.:53: errors health ready kubernetes prometheus forward cache loop reload loadbalance'],
  'node-local-dns.corefile': [
    'dns://cluster.local.:53: errors cache reload loop bind forward prometheus health',
    'dns://in-addr.arpa.:53: errors cache reload loop bind forward prometheus',
    'dns://.:53: errors cache reload loop bind forward prometheus',
  ],
  'openshift.corefile': [
    'dns://corp.example.com.:5353: prometheus forward errors log bufsize cache',
    'dns://.:5353: bufsize errors log health ready kubernetes prometheus forward cache reload',
    'dns://hostname.bind.:5353: chaos',
  ],
  'stub-domains.corefile': [
    'dns://corp.example.com.:53 dns://corp.example.net.:53 dns://0.0.10.in-addr.arpa.:53 dns://1.0.10.in-addr.arpa.:53 ' +
      `${[0, 1, 2, 3, 4, 5, 6, 7].map(nibble => `dns://${nibble}.8.b.d.0.1.0.0.2.ip6.arpa.:53`).join(' ')}: errors cache forward`,
    'dns://.:53: hosts errors cache forward log',
  ],
  'transports.corefile': ['tls://example.org.:853 dns://example.org.:1053 https://example.org.:443: tls whoami'],
  'views.corefile': ['dns://example.org.:53: view whoami', 'dns://example.org.:53: whoami'],
  'windows.corefile': ['dns://.:53: whoami log'],
  'without-braces.corefile': ['dns://example.org.:53: whoami log'],
}

t.test('every good Corefile gives its server blocks', async t => {
  const files = filesIn(join(folder, 'good'))
  t.strictSame(corefilesIn('good'), Object.keys(good))
  for (const [name, expected] of Object.entries(good)) {
    const blocks = parseCorefile(readFileSync(join(folder, 'good', name), 'utf8'), { env, files })
    checkOverlaps(blocks)
    const seen = blocks.map(({ addresses, directives }) => {
      return `${addresses.map(serverAddressText).join(' ')}: ${directives.map(directive => directive.name).join(' ')}`
    })
    t.strictSame(seen, expected, name)
  }
})

t.test('what is set in the environment and what a pattern finds', async t => {
  const files = filesIn(join(folder, 'good'))
  const warnings: CorefileWarning[] = []
  const warn = (warning: CorefileWarning) => warnings.push(warning)
  const read = (name: string) =>
    parseCorefile(readFileSync(join(folder, 'good', name), 'utf8'), { env, files, warn, file: name })
  const [cluster] = read('node-local-dns.corefile')
  t.strictSame(
    cluster?.directives.map(directive => directive.args.map(arg => arg.text).join(' ')),
    ['', '', '', '', '169.254.20.10', '. 10.96.0.10', ':9253', '169.254.20.10:8080'],
  )
  const [first] = read('aks.corefile')
  t.match(first?.directives[10], { name: 'log', at: { file: 'custom/log.override', line: 2, column: 1 } })
  t.strictSame(warnings, [])
  read('k3s.corefile')
  read('stub-domains.corefile')
  t.strictSame(warnings.map(warningText), [
    'k3s.corefile:20:12: warning: no file matches "custom/*.k3s-override"',
    'k3s.corefile:23:8: warning: no file matches "custom/*.k3s-server"',
    'stub-domains.corefile:5:15: warning: the environment variable UPSTREAM is not set',
  ])
})

function thrownBy(action: () => void): Error | undefined {
  try {
    action()
  } catch (error) {
    return error as Error
  }
  return undefined
}
