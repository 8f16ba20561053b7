import t from 'tap'
import { type Bound, bindAll, boundAddress, listenError, plainAddress } from '../../src/server/binding.ts'
import { recordingLog } from '../contract/listener.ts'

function systemError(code: string): Error {
  return Object.assign(new Error(`bind ${code}`), { code })
}

/** Opens anything but what `refused` names; keeps the account of it. */
function opener(refused: (address: string, tries: number) => string | undefined) {
  const opened: string[] = []
  const closed: string[] = []
  let tries = 0
  const open = async (address: string, port: number): Promise<Bound> => {
    if (address === '0.0.0.0') tries++
    const code = refused(address, tries)
    if (code !== undefined) throw systemError(code)
    const bound = port === 0 ? 40_000 + tries : port
    opened.push(`${address} ${bound}`)
    return { port: bound, close: () => closed.push(`${address} ${bound}`) }
  }
  return { open, opened, closed }
}

const { log, lines } = recordingLog()
t.beforeEach(() => {
  lines.length = 0
})

t.test('one address is one socket', async t => {
  const { open, opened } = opener(() => undefined)
  await bindAll('udp', { address: '::1', port: 53 }, log, open)
  t.strictSame(opened, ['::1 53'])
})

for (const address of ['', '0.0.0.0', '::']) {
  t.test(`"${address}" is a socket for each family`, async t => {
    const { open, opened } = opener(() => undefined)
    const bound = await bindAll('udp', { address, port: 0 }, log, open)
    t.strictSame(opened, ['0.0.0.0 40001', ':: 40001'])
    t.equal(boundAddress({ address, port: 0 }, bound), '::')
  })
}

t.test('without IPv6 it is IPv4 alone, and the log says so', async t => {
  const { open } = opener(address => (address === '::' ? 'EAFNOSUPPORT' : undefined))
  const endpoint = { address: '', port: 53 }
  t.equal(boundAddress(endpoint, await bindAll('udp', endpoint, log, open)), '0.0.0.0')
  t.strictSame(lines, ['[INFO] this machine has no IPv6: udp port 53 is served on IPv4 alone\n'])
})

t.test('any free port: another one is tried where IPv6 has it taken', async t => {
  const { open, opened, closed } = opener((address, tries) =>
    address === '::' && tries < 3 ? 'EADDRINUSE' : undefined,
  )
  const [first] = await bindAll('tcp', { address: '', port: 0 }, log, open)
  t.equal(first?.port, 40_003)
  t.strictSame(closed, ['0.0.0.0 40001', '0.0.0.0 40002'])
  t.strictSame(opened.slice(-2), ['0.0.0.0 40003', ':: 40003'])
})

t.test('any free port: there is an end to it', async t => {
  const { open, closed } = opener(address => (address === '::' ? 'EADDRINUSE' : undefined))
  await t.rejects(bindAll('tcp', { address: '', port: 0 }, log, open), { code: 'PORTOLAN_LISTEN' })
  t.equal(closed.length, 8)
})

t.test('a port taken in IPv6 alone leaves nothing open', async t => {
  const { open, closed } = opener(address => (address === '::' ? 'EADDRINUSE' : undefined))
  await t.rejects(bindAll('tcp', { address: '', port: 53 }, log, open), {
    message: 'cannot listen on [::]:53/tcp: the port is in use',
  })
  t.strictSame(closed, ['0.0.0.0 53'])
})

t.test('errors say what to do', async t => {
  const textFor = (code: string) => listenError('udp', { address: '0.0.0.0', port: 53 }, systemError(code)).message
  t.equal(
    textFor('EACCES'),
    'cannot listen on 0.0.0.0:53/udp: no permission; run as root, give CAP_NET_BIND_SERVICE, or choose a port above 1023 with -dns.port',
  )
  t.match(textFor('EADDRINUSE'), /ss -lunp/)
  t.match(textFor('EADDRNOTAVAIL'), /does not have that address/)
  t.equal(textFor('EINVAL'), 'cannot listen on 0.0.0.0:53/udp: bind EINVAL')
})

t.test('link-local addresses lose their interface', async t => {
  t.equal(plainAddress('fe80::1%eth0'), 'fe80::1')
  t.equal(plainAddress('10.0.0.1'), '10.0.0.1')
})
