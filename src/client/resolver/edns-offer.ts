/** The OPT record of a query (RFC 6891), as dns-packet writes it. */
import type { OptAnswer } from 'dns-packet'

/** Offers to take replies over UDP of so many octets, and says nothing else. */
export function ednsOffer(udpPayloadSize: number): OptAnswer {
  return {
    type: 'OPT',
    name: '.',
    udpPayloadSize,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  }
}
