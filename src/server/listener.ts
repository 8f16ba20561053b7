/**
 * What the server needs of a socket, whatever the transport: hand each request in, send the response back.
 */
import type { Peer } from '../wire/query.ts'

/**
 * Makes the response to one request; undefined where nothing is to be sent. The listener owns the returned octets. Never
 * throws and never rejects.
 */
export type Respond = (packet: Uint8Array, peer: Peer) => Uint8Array | undefined | Promise<Uint8Array | undefined>

export interface Listener {
  readonly protocol: 'udp' | 'tcp'
  /** The address it is bound to, text form; `::` and `0.0.0.0` mean all. */
  readonly address: string
  /** The real port once it listens, where 0 was asked for. */
  readonly port: number
  /**
   * Starts to receive. Rejects with PORTOLAN_LISTEN and a sentence that says what to do where the address cannot be bound.
   */
  listen(respond: Respond): Promise<void>
  /** Stops receiving, lets what is in flight be answered for at most `graceMs`, then closes. Safe to call twice. */
  close(graceMs: number): Promise<void>
}

export interface UdpListener extends Listener {
  /** Octets that queries may take while they wait in the smallest of its sockets, as the kernel counts them. */
  readonly receiveBuffer: number
}
