/** In the place of `forward`: an upstream whose replies follow from the question and its mood alone, of all kinds that there are. */
import type { PluginDefinition, Reply } from '../../src/plugin/plugin.ts'
import { nameToText } from '../../src/wire/name.ts'
import type { Query } from '../../src/wire/query.ts'
import { Bit, Rcode } from '../../src/wire/types.ts'
import { answerTo, type Texts } from '../helpers/answer.ts'

const SOA = 'up.test. 40 IN SOA ns.up.test. host.up.test. 1 2 3 4 50'
const relayed = Bit.RD | Bit.RA

/** By chance, what is said of a name: its records, and the header's rcode and bits. */
const KINDS: readonly ((name: string) => { texts: Texts; rcode?: number; bits?: number })[] = [
  name => ({ texts: { answers: [`${name} 60 IN A 192.0.2.1`] } }),
  name => ({
    texts: { answers: [`${name} 7 IN A 192.0.2.1`, `${name} 9 IN A 192.0.2.2`, `${name} 8 IN A 192.0.2.3`] },
    bits: Bit.AD,
  }),
  name => ({
    texts: {
      answers: [`${name} 60 IN CNAME www.up.test.`, 'www.up.test. 20 IN A 192.0.2.1', 'WWW.up.test. 20 IN A 192.0.2.2'],
    },
  }),
  name => ({ texts: { answers: [`${name} 60 IN CNAME none.up.test.`], authorities: [SOA] } }),
  name => ({
    texts: {
      answers: [`${name} 60 IN MX 1 a.up.test.`, `${name} 60 IN MX 2 b.up.test.`],
      additionals: ['a.up.test. 5 IN A 192.0.2.1', 'a.up.test. 5 IN A 192.0.2.9'],
    },
  }),
  name => ({ texts: { answers: Array.from({ length: 60 }, (_, i) => `${name} 30 IN AAAA 2001:db8::${i}`) } }),
  name => ({ texts: { answers: [`${name} 60 IN A 192.0.2.1`] }, bits: Bit.TC }),
  () => ({ texts: { authorities: [SOA] } }),
  () => ({ texts: { authorities: [SOA] }, rcode: Rcode.NXDOMAIN }),
  () => ({ texts: { authorities: [SOA] }, rcode: Rcode.NXDOMAIN, bits: Bit.AD }),
  () => ({ texts: {}, rcode: Rcode.NXDOMAIN }),
  name => ({ texts: { answers: [`${name} 60 IN CNAME none.up.test.`], authorities: [SOA] }, rcode: Rcode.NXDOMAIN }),
  () => ({ texts: {} }),
  () => ({
    texts: { authorities: ['up.test. 60 IN NS ns.up.test.'], additionals: ['ns.up.test. 60 IN A 192.0.2.53'] },
  }),
  () => ({ texts: {}, rcode: Rcode.SERVFAIL }),
  () => ({ texts: {}, rcode: Rcode.REFUSED }),
]

export class Upstream {
  /** Another mood gives other replies. */
  mood = 0
  /** How often it was asked. */
  asked = 0

  readonly definition: PluginDefinition = {
    name: 'forward',
    setup: directive => {
      directive.rest()
      return { name: 'forward', handle: query => this.#reply(query) }
    },
  }

  async #reply(query: Query): Promise<Reply> {
    this.asked++
    const what = `${query.key} ${query.type} ${query.class} ${query.dnssecOk} ${query.bits & Bit.CD} ${this.mood}`
    let hash = 7
    for (let i = 0; i < what.length; i++) hash = Math.imul(hash ^ what.charCodeAt(i), 0x01000193) >>> 0
    const name = nameToText(query.name)
    // Names that text does not give back, and types that the question does not have, get no records.
    const kind = /^[\w.-]+$/.test(name) ? KINDS[(hash >>> 8) % KINDS.length]! : KINDS[7]!
    const { texts, rcode = 0, bits = 0 } = kind(name)
    const answer = answerTo(query, texts, { rcode, bits: relayed | bits, copied: 0 })
    const options = (hash & 7) === 0 ? { options: Uint8Array.of(0, 3, 0, 2, 0x6e, 0x73) } : {}
    return { answer: { ...answer, ...options }, plugin: 'forward' }
  }
}
