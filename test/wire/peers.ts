/** The ends of an exchange, for tests that do not care. */
import type { Peer } from '../../src/wire/query.ts'

export const udp: Peer = {
  protocol: 'udp',
  address: '192.0.2.1',
  port: 40_000,
  localAddress: '192.0.2.53',
  localPort: 53,
}

export const tcp: Peer = { ...udp, protocol: 'tcp' }
