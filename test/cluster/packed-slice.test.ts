/** What is found in a packed slice is what unpacking all of it finds. */
import t from 'tap'
import { narrowed, PackedSlice } from '../../src/cluster/packed-slice.ts'
import { addressKey, dashed, namesakes, spellings } from '../../src/zone/address.ts'
import { slice } from '../helpers/cluster.ts'

const addresses = [
  ...['10.0.0.1', '10.0.0.11', '110.0.0.1', '::ffff:10.0.0.1', '::ffff:a00:1', '0:0::ffff:0a00:0001'],
  ...['fd00::1', 'FD00:0::0001', 'fd00::', 'fd00:0:0:0:0:0:0:0', 'fd00::0.0.0.1', '1:2:3:4:5:6:7::', 'fd00::1%eth0'],
  ...['my-host.test', 'my-host.test.', 'www.test', 'K-8', '"\\\n.x', '\u212a.test'],
]
const hostnames = ['', 'One', 'two', 'a"b\\c', '\u212a', 'fd00--0', 'x.y']
const endpoints = addresses.flatMap(ip => hostnames.map(hostname => ({ ip, hostname, target: `pod-${hostname}` })))
const made = slice('shop/web', ['10.0.0.1'])
const [one] = made.endpoints
const packed = new PackedSlice({
  ...made,
  endpoints: endpoints.map(({ ip, hostname, target }) => ({ ...one!, addresses: [ip], hostname, targetName: target })),
})
const all = packed.endpoints

t.test('addresses in all their spellings', async t => {
  for (const key of new Set(addresses.map(addressKey))) {
    if (key === undefined) continue
    const has = ({ addresses }: (typeof all)[number]) => addresses.some(address => addressKey(address) === key)
    t.strictSame(narrowed(packed, spellings(key)).endpoints.filter(has), all.filter(has))
  }
})

t.test('labels, whatever they were made of', async t => {
  const labelsOf = ({ addresses, hostname, targetName }: (typeof all)[number]) =>
    [...addresses.map(dashed), hostname, targetName].map(label => label.toLowerCase())
  for (const label of new Set(all.flatMap(labelsOf))) {
    if (label === '') continue
    const has = (endpoint: (typeof all)[number]) => labelsOf(endpoint).includes(label)
    t.strictSame(narrowed(packed, namesakes(label)).endpoints.filter(has), all.filter(has), label)
  }
})

t.test('few others are unpacked', async t => {
  const ips = Array.from({ length: 1000 }, (_, i) => `10.1.${i >> 8}.${i & 255}`)
  const large = new PackedSlice(slice('shop/web', ips))
  t.equal(narrowed(large, spellings(addressKey('10.1.0.7')!)).endpoints.length, 1)
  t.equal(narrowed(large, namesakes('10-1-0-7')).endpoints.length, 1)
  t.equal(narrowed(large, namesakes('nosuch')).endpoints.length, 0)
})
