import t from 'tap'
import { addressOctets, addressType, reverseName } from '../../src/wire/address.ts'
import { textFromKey } from '../../src/wire/name.ts'
import { Type } from '../../src/wire/types.ts'

t.test('addresses, their octets, types and reverse names', async t => {
  const zeros = (count: number) => '0.'.repeat(count)
  const addresses: readonly (readonly [string, string, number, string])[] = [
    ['192.0.2.1', 'c0000201', Type.A, '1.2.0.192.in-addr.arpa.'],
    ['0.0.0.0', '00000000', Type.A, '0.0.0.0.in-addr.arpa.'],
    ['::', '0'.repeat(32), Type.AAAA, `${zeros(32)}ip6.arpa.`],
    ['2001:DB8::1f', `20010db8${'0'.repeat(22)}1f`, Type.AAAA, `f.1.${zeros(22)}8.b.d.0.1.0.0.2.ip6.arpa.`],
    ['::ffff:192.0.2.1', 'c0000201', Type.A, '1.2.0.192.in-addr.arpa.'],
    ['::ffff:c000:201', 'c0000201', Type.A, '1.2.0.192.in-addr.arpa.'],
  ]
  for (const [text, octets, type, name] of addresses) {
    const found = addressOctets(text)!
    t.equal(Buffer.from(found).toString('hex'), octets, text)
    t.equal(addressType(found), type)
    t.equal(textFromKey(reverseName(found)), name)
  }
})

t.test('text that is no address', async t => {
  for (const text of [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '256.0.0.1',
    'fe80::1%eth0',
    '1::2::3',
    ':1',
    'a.b.c.d',
    ' ::1',
  ]) {
    t.equal(addressOctets(text), undefined, JSON.stringify(text))
  }
})
