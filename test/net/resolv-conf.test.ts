import t from 'tap'
import { parseResolvConf, resolvConfLines, resolvConfText } from '../../src/net/resolv-conf.ts'

t.test('lines, without comments', async t => {
  t.strictSame(resolvConfLines('# a\n; b\n\n nameserver\t192.0.2.1  # the router\noptions\n'), [
    { number: 4, keyword: 'nameserver', values: ['192.0.2.1', '#', 'the', 'router'] },
    { number: 5, keyword: 'options', values: [] },
  ])
})

t.test('as lists: servers and options add up, the last search list counts', async t => {
  const text =
    'nameserver 192.0.2.1\nnameserver\nnameserver 2001:db8::1 x\ndomain a.org\nsearch b.org c.org\noptions ndots:2\noptions rotate use-vc\n'
  const conf = parseResolvConf(text)
  t.strictSame(conf, {
    nameservers: ['192.0.2.1', '2001:db8::1'],
    search: ['b.org', 'c.org'],
    options: ['ndots:2', 'rotate', 'use-vc'],
  })
  t.strictSame(parseResolvConf('search b.org c.org\ndomain a.org z.org').search, ['a.org'])
  t.strictSame(parseResolvConf(resolvConfText(conf)), conf)
})

t.test('written: only what there is', async t => {
  t.equal(resolvConfText({ nameservers: ['192.0.2.1'], search: [], options: [] }), 'nameserver 192.0.2.1\n')
  t.equal(resolvConfText({ nameservers: [], search: [], options: [] }), '')
})
