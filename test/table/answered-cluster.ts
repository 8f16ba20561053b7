import type { Test } from 'tap'
import type { Cut, TypeEntry } from '../../src/table/contract.ts'
import { Transport } from '../../src/table/counters.ts'
import { Below, Verdict } from '../../src/table/layout.ts'
import { type Answer, COPIED } from '../../src/wire/answer.ts'
import { type NameKey, nameFromKey } from '../../src/wire/name.ts'
import { encode, type Record } from '../../src/wire/record.ts'
import { Bit, Class, Type } from '../../src/wire/types.ts'
import { Answering, type Asked, keyOf, type Outcome, plainCut, requestFor, soaAnswer } from './answering.ts'

export const ORIGIN = keyOf('cluster.local')
export const WEB = keyOf('web.shop.svc.cluster.local')

export function address(last: number, ttl = 30, owner: Record['owner'] = 0): Record {
  return { owner, type: Type.A, class: Class.IN, ttl, rdata: Uint8Array.of(10, 0, last >> 8, last) }
}

export function answerOf(
  key: NameKey,
  answers: readonly Record[],
  header: { bits?: number; rcode?: number } = {},
): Answer {
  return encode({ answers, authorities: [], additionals: [] }, key.length, { bits: Bit.AA, copied: COPIED, ...header })
}

export function answerA(key: NameKey, ttl = 30): TypeEntry {
  return { type: Type.A, verdict: Verdict.ANSWER, answer: answerOf(key, [address(1, ttl)]) }
}

/** A cluster's zone with one service and, below `pod`, names that only the control thread knows. */
export function cluster(changed: Partial<Cut> = {}) {
  const answering = new Answering()
  const zone = answering.addZone(length => soaAnswer(ORIGIN, 7, length))
  const cache = answering.addCache()
  const put = (name: string, types: readonly TypeEntry[] = [], below = 0, other: 0 | 1 | 2 = Verdict.NODATA) =>
    answering.put(zone, keyOf(name), { other, below, types })
  put('cluster.local', [{ type: Type.SOA, verdict: Verdict.ANSWER, answer: soaAnswer(ORIGIN, 7, ORIGIN.length) }])
  put('svc.cluster.local')
  put('pod.cluster.local')
  put('shop.pod.cluster.local', [], Below.ONE_LABEL)
  put('shop.svc.cluster.local')
  put('web.shop.svc.cluster.local', [answerA(WEB), { type: Type.NS, verdict: Verdict.ASK }], Below.TWO_LABELS)
  // Not all names above it are there.
  put('_https._tcp.web.shop.svc.cluster.local')
  put('gone.shop.svc.cluster.local', [], 0, Verdict.NXDOMAIN)
  const cut: Cut = { ...plainCut, suffix: ORIGIN, zone, cache, ...changed }
  answering.cuts = [cut, { ...plainCut, cache }]
  return { answering, zone, cache, cut }
}

/** The reply or its rcode, after the model was found to say the same. */
export function asks(t: Test, answering: Answering) {
  return (name: string, type: number = Type.A, asked: Asked = {}, transport: Transport = Transport.UDP4): Outcome => {
    const { got, wanted } = answering.both(requestFor(nameFromKey(keyOf(name)), type, asked), transport)
    t.same(got, wanted, `${name} ${type}`)
    return got
  }
}

export const rcodeOf = (outcome: Outcome) => (typeof outcome === 'string' ? outcome : outcome[3]! & 15)
export const countsOf = (outcome: Outcome) =>
  typeof outcome === 'string' ? outcome : [4, 6, 8, 10].map(at => outcome.readUInt16BE(at))
