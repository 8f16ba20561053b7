/** Ranges in CIDR notation. */
import t from 'tap'
import { everybody, holds, nthAddress, parseRange } from '../../src/wire/range.ts'

t.test('one spelling', async t => {
  const cases: [text: string, spelled: string | undefined][] = [
    ['10.244.7.7/16', '10.244.0.0/16'],
    [' 010.000.000.001/8 ', '10.0.0.0/8'],
    ['192.0.2.1/32', '192.0.2.1/32'],
    ['FD00:0:0::1/64', 'fd00::/64'],
    ['::/0', '::/0'],
    ...['10.0.0.0', '10.0.0.0/', '10.0.0.0/33', '10.0.0/8', '10.0.0.0/8/8', '10.0.0.256/8', '10.0.0.0/-1'].map(
      (text): [string, undefined] => [text, undefined],
    ),
    ...['fd00::/129', 'fd00::1%eth0/64', '/8', '', 'x/8', 'fd00::'].map((text): [string, undefined] => [
      text,
      undefined,
    ]),
  ]
  for (const [text, spelled] of cases) t.equal(parseRange(text)?.text, spelled, text)
  t.match(parseRange('fd00::/8'), { family: 'IPv6', prefix: 8 })
  t.ok(everybody(parseRange('0.0.0.0/0')!))
  t.notOk(everybody(parseRange('0.0.0.0/1')!))
})

t.test('what is in it', async t => {
  t.ok(holds('10.244.0.0/16', '10.244.255.255'))
  t.notOk(holds('10.244.0.0/16', '10.245.0.0'))
  t.ok(holds('fd00::/64', 'fd00::ffff'))
  t.notOk(holds('fd00::/64', 'fd00:0:0:1::'))
  t.notOk(holds('0.0.0.0/0', 'fd00::1'), 'of another family')
  t.ok(holds('10.0.0.0/8', '::ffff:10.1.2.3'), 'which stands for an IPv4 address')
})

t.test('its addresses in order', async t => {
  const nth = (range: string, i: number) => nthAddress(parseRange(range)!, i)
  t.equal(nth('10.244.0.0/16', 0), '10.244.0.0')
  t.equal(nth('10.244.0.0/16', 257), '10.244.1.1')
  t.equal(nth('10.244.0.0/30', 5), '10.244.0.1', 'counted round')
  t.equal(nth('192.0.2.7/32', 9), '192.0.2.7')
  t.equal(nth('0.0.0.0/0', 2 ** 32 - 1), '255.255.255.255')
  t.equal(nth('fd00::/64', 65_536), 'fd00::1:0')
  t.equal(nth('2001:db8::8/126', 6), '2001:db8::a')
})
