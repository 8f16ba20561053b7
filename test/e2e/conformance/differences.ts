/**
 * The differences from CoreDNS that are meant: the rows of the README's table. Each has an id, the sentence that the README holds word
 * for word, and the narrowest test for it.
 */

import { type Message, sectionNames, types } from '../message.ts'
import { unlabelledAddress } from './cluster.ts'
import type { Difference } from './compare.ts'
import type { Prepared } from './modes.ts'
import { reverseName } from './names.ts'
import type { Variant } from './variants.ts'

/** One difference and everything around it: A is CoreDNS, B is portolan. A reply that could not be read is a text. */
export interface Finding {
  readonly difference: Difference
  readonly question: Prepared
  readonly variant: Variant
  readonly a: Message | string
  readonly b: Message | string
}

export interface AllowedDifference {
  readonly id: string
  /** One sentence: what portolan does otherwise, and why. */
  readonly text: string
  /** Met only in a run that is slow enough for an answer to age. */
  readonly fleeting?: boolean
  allows(finding: Finding): boolean
}

const rcodeOf = (reply: Message | string): number | undefined => (typeof reply === 'string' ? undefined : reply.rcode)
const answersOf = (reply: Message | string) => (typeof reply === 'string' ? [] : reply.sections.answer)

const clusterName = /(^|\.)(cluster\.local|in-addr\.arpa|ip6\.arpa)$/

export const allowedDifferences: readonly AllowedDifference[] = [
  {
    id: 'data-case',
    text: 'Names inside record data have the letter case of the cluster and its configuration, not that of the question: the same record looks the same to everyone.',
    allows: ({ difference, b }) => difference.kind === 'data-case' && isLowerCaseInside(b),
  },
  {
    id: 'question-case',
    text: 'Answers from the cluster and from `hosts` have owner names in the letter case of the question; CoreDNS gives from its `cache` the letter case of whoever asked first, and from `hosts` lower case.',
    allows: ({ difference, b }) => difference.kind === 'case' && hasCaseOfQuestion(b),
  },
  {
    id: 'fresh-cluster',
    text: 'Answers from the cluster do not age in `cache`: each has the TTL that CoreDNS gives when it is asked first, because each is made of the state of the cluster at that moment.',
    fleeting: true,
    allows: ({ difference, variant, a, b }) =>
      difference.kind === 'ttl' && variant.ttlSlack > 0 && isAboutCluster(b) && leastTtl(a) <= leastTtl(b),
  },
  {
    id: 'any-case',
    text: 'NS records of the apex, and `ns.dns.<zone>`, are found in any letter case (RFC 4343); CoreDNS misses them where the zone is not asked in lower case.',
    allows: ({ question, variant, b }) =>
      !question.title.startsWith(question.name) &&
      variant.zones.some(
        zone => question.name === `ns.dns.${zone}` || (question.name === zone && question.type === 'NS'),
      ) &&
      rcodeOf(b) === 0,
  },
  {
    id: 'reverse-labels',
    text: 'A name below ip6.arpa with more than the 32 labels of an address does not exist; CoreDNS passes over up to three labels in front.',
    allows: ({ question, a, b }) =>
      /^([0-9a-f]\.){33,35}ip6\.arpa$/.test(question.name) && rcodeOf(a) === 0 && rcodeOf(b) !== 0,
  },
  {
    id: 'dns-name',
    text: 'In a zone without `fallthrough`, `dns.<zone>` is NODATA and not NXDOMAIN, because `ns.dns.<zone>` exists below it (RFC 8020).',
    allows: ({ difference, question, variant, a, b }) =>
      difference.kind === 'rcode' &&
      variant.zones.some(zone => question.name === `dns.${zone}`) &&
      rcodeOf(a) === 3 &&
      rcodeOf(b) === 0,
  },
  {
    id: 'alias-kept',
    text: 'The CNAME of an ExternalName service (or of a slice of names) stays in the answer when its target inside the cluster gives nothing, so that a reader sees where the name leads.',
    allows: ({ difference, question, a, b }) =>
      (difference.kind === 'answer' || difference.kind === 'authority') &&
      question.name.includes('.ext.svc.') &&
      rcodeOf(a) === 0 &&
      rcodeOf(b) === 0 &&
      answersOf(a).length === 0 &&
      answersOf(b).length > 0 &&
      answersOf(b).every(({ type }) => type === types.CNAME),
  },
  {
    id: 'unlabelled-slice',
    text: 'Where a name made from the cluster cannot be written, there is a reply without it: for an endpoint whose EndpointSlice lacks the label `kubernetes.io/service-name`, CoreDNS keeps silent.',
    allows: ({ difference, question, a }) =>
      difference.kind === 'silence' && a === 'silence' && question.name === reverseName(unlabelledAddress),
  },
  {
    id: 'unsynced',
    text: 'Until the cluster is known, names in its zones get SERVFAIL even with `fallthrough`; CoreDNS lets an upstream say that they do not exist.',
    allows: ({ variant, b }) => !variant.synced && isAboutCluster(b) && rcodeOf(b) === 2,
  },
  {
    id: 'forward-waits',
    text: 'A reply from upstream that does not belong to the question is ignored and the right one waited for; CoreDNS answers FORMERR at once, so a spoofed packet is enough to break a lookup.',
    allows: ({ question, a, b }) =>
      /^(stranger|query-back)\.up\.test$/.test(question.name) && rcodeOf(a) === 1 && rcodeOf(b) === 0,
  },
]

function askedIn(reply: Message | string): string {
  return typeof reply === 'string' ? '' : (reply.questions[0]?.split(' ')[0] ?? '')
}

function isAboutCluster(reply: Message | string): boolean {
  return clusterName.test(askedIn(reply).replace(/\.$/, '').toLowerCase())
}

function leastTtl(reply: Message | string): number {
  return typeof reply === 'string'
    ? 0
    : Math.min(...sectionNames.flatMap(name => reply.sections[name].map(({ ttl }) => ttl)))
}

// Everything in the cluster, and so all that its records hold, is written in lower case.
function isLowerCaseInside(reply: Message | string): boolean {
  if (typeof reply === 'string') return false
  const { answer, authority, additional } = reply.sections
  const inside = [...[...answer, ...authority].map(({ data }) => data), ...additional.map(({ owner }) => owner)]
  return inside.every(text => text === text.toLowerCase())
}

function hasCaseOfQuestion(reply: Message | string): boolean {
  if (typeof reply === 'string') return false
  const asked = askedIn(reply)
  const owners = [...reply.sections.answer, ...reply.sections.authority].map(({ owner }) => owner)
  return owners.every(owner => asked.endsWith(owner) || !asked.toLowerCase().endsWith(owner.toLowerCase()))
}
