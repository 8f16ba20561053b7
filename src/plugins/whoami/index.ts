/**
 * `whoami`: tells clients their own address, port and transport. The smallest plugin there is, and so the one to read first.
 */
import { readOptions } from '../../corefile/options.ts'
import type { PluginDefinition, Reply } from '../../plugin/plugin.ts'
import { addressOctets, addressType } from '../../wire/address.ts'
import { nameOf } from '../../wire/name.ts'
import type { Query } from '../../wire/query.ts'
import { encode, type Record } from '../../wire/record.ts'
import { Bit, Type } from '../../wire/types.ts'

export const definition: PluginDefinition = {
  name: 'whoami',
  setup(directive) {
    readOptions(directive)
    return { name: 'whoami', handle: introduce }
  },
}

/** The answer names nothing but the client: its address, and as SRV its port below a label that is the transport. */
function introduce({ name, class: klass, peer }: Query): Reply {
  const additionals: Record[] = []
  const address = addressOctets(peer.address)
  if (address) additionals.push({ owner: 0, type: addressType(address), class: klass, ttl: 0, rdata: address })
  // Below a name of full length there is no room for a label.
  const owner = nameOf([`_${peer.protocol}`], name)
  const port = Uint8Array.of(0, 0, 0, 0, peer.port >> 8, peer.port & 255, 0)
  if (owner) additionals.push({ owner, type: Type.SRV, class: klass, ttl: 0, rdata: port })
  const answer = encode({ answers: [], authorities: [], additionals }, name.length, { bits: Bit.AA })
  return { answer, plugin: 'whoami', current: true }
}
