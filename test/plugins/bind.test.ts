import type { NetworkInterfaceInfo } from 'node:os'
import t from 'tap'
import { bind, definition } from '../../src/plugins/bind/index.ts'
import { pluginBench } from '../helpers/plugin.ts'

const four = (address: string) => ({ address, family: 'IPv4' }) as NetworkInterfaceInfo
const six = (address: string) => ({ address, family: 'IPv6' }) as NetworkInterfaceInfo

const interfaces = {
  lo: [four('127.0.0.1'), six('::1')],
  eth0: [four('10.0.0.5'), six('2001:db8::5'), six('fe80::5')],
}

/** The addresses that a block with these directives listens on. */
function listened(text: string): readonly string[] {
  const { context } = pluginBench({ name: 'bind', setup: () => ({ name: 'bind' }) }, text)
  for (const directive of context.block.directives) {
    t.strictSame(bind(directive, context.block, interfaces), { name: 'bind' })
  }
  return context.block.listen
}

t.test('addresses and interfaces', async t => {
  t.strictSame(listened('bind 127.0.0.1'), ['127.0.0.1'])
  t.strictSame(listened('bind 192.0.2.1 ::1'), ['192.0.2.1', '::1'], 'an address need not be there yet')
  t.strictSame(listened('bind lo'), ['127.0.0.1', '::1'])
  t.strictSame(listened('bind eth0'), ['10.0.0.5', '2001:db8::5', 'fe80::5%eth0'])
  t.strictSame(listened('bind lo 127.0.0.1'), ['127.0.0.1', '::1'], 'each once')
})

t.test('several directives add up, each with exceptions of its own', async t => {
  t.strictSame(listened('bind 127.0.0.1\nbind ::1'), ['127.0.0.1', '::1'])
  t.strictSame(listened('bind lo {\nexcept 127.0.0.1\n}\nbind 127.0.0.1'), ['::1', '127.0.0.1'])
  t.strictSame(listened('bind lo eth0 {\nexcept lo fe80::5%eth0 10.0.0.5\n}'), ['2001:db8::5'])
})

t.test('the machine has a loopback interface', async t => {
  const { context } = pluginBench(definition, 'bind lo')
  t.ok(context.block.listen.includes('127.0.0.1'))
})

t.test('mistakes in the directive', async t => {
  const mistakes: [text: string, message: string][] = [
    ['bind', 'Corefile:2:1: bind: bind needs its address or interface'],
    [
      'bind 127.0.0.1 nosuch',
      'Corefile:2:16: bind: not an IP address or the name of an interface that has one: "nosuch"',
    ],
    ['bind lo {\nexcept\n}', 'Corefile:3:1: bind: except needs its address or interface'],
    ['bind lo {\nexcept nosuch\n}', 'Corefile:3:8: bind: not an IP address'],
    ['bind lo {\nexcept lo\n}', 'Corefile:2:1: bind: "except" leaves no address to listen on'],
    ['bind lo {\nbogus\n}', 'Corefile:3:1: bind: unknown option "bogus"'],
  ]
  for (const [text, message] of mistakes) t.throws(() => listened(text), { message })
})
