import t from 'tap'
import { numericHost } from '../../../src/client/resolver/numeric-host.ts'

for (const [text, address] of [
  ['192.0.2.9', '192.0.2.9'],
  ['10.1', '10.0.0.1'],
  ['10.1.2', '10.1.0.2'],
  ['1234', '0.0.4.210'],
  ['0x7f.1', '127.0.0.1'],
  ['010.0.0.1', '8.0.0.1'],
  ['4294967295', '255.255.255.255'],
  ['2001:db8::2', '2001:db8::2'],
  ['fe80::1%eth0', 'fe80::1%eth0'],
  ['4294967296', undefined],
  ['256.0.0.1', undefined],
  ['1.2.3.4.5', undefined],
  ['1.2.3.', undefined],
  ['08.0.0.1', undefined],
  ['web', undefined],
  ['1e3', undefined],
  ['', undefined],
] as const) {
  t.test(`${text || 'nothing'}: ${address ?? 'a name'}`, async t => t.equal(numericHost(text), address))
}
