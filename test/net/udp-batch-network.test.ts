/** What needs a network of its own to be seen: the tests of `udp-batch-namespace.ts`, in a namespace that ends with them. */
import { join } from 'node:path'
import t from 'tap'

/**
 * Two cables, each from this machine to itself. On all of its ends the addresses are the same link-local ones, as they are on real
 * networks: only the interface tells them apart.
 */
const SET_UP = `
ip link set lo up
for cable in one two; do
  ip link add $cable-near type veth peer name $cable-far
  ip link set $cable-near addrgenmode none up
  ip link set $cable-far addrgenmode none up
  ip address add fe80::1/64 dev $cable-near nodad
  ip address add fe80::2/64 dev $cable-far nodad
done
exec "$0" "$1"
`

const TESTS = join(import.meta.dirname, 'udp-batch-namespace.ts')

t.spawn(
  'unshare',
  ['--user', '--map-root-user', '--net', 'sh', '-ec', SET_UP, process.execPath, TESTS],
  {},
  'namespace',
)
