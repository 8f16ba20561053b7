/** The kinds of load: what is asked, how, and whom it makes sense to ask. */
import type { Entry } from './data.ts'
import type { ServerName } from './programs.ts'
import * as questions from './questions.ts'

export interface LoadCase {
  readonly name: string
  /** For people. */
  readonly title: string
  readonly servers: readonly ServerName[]
  /** The questions; of another run others where `fresh` says so. `count` is how many may be asked. */
  questions(entries: readonly Entry[], run: number, count: number): readonly string[]
  /** No question is asked a second time, so that no cache has its answer. */
  readonly fresh?: true
  /** All is asked once, unmeasured, right before. */
  readonly warm?: true
  readonly edns?: true
  readonly tcp?: true
  /** What others ask at the same time, and how many times a second; then only latency is measured. */
  readonly beside?: { readonly name: string; readonly rate: number }
}

const everyone: readonly ServerName[] = ['bare', 'minimal', 'knot', 'nsd', 'portolan', 'portolan-dgram', 'coredns']
const corefileServers: readonly ServerName[] = ['portolan', 'portolan-dgram', 'coredns']

export const loadCases: readonly LoadCase[] = [
  { name: 'a', title: 'A records of services', servers: everyone, questions: questions.addressQuestions },
  {
    name: 'mix',
    title: 'A, AAAA, SRV, PTR, search-path misses',
    servers: everyone,
    questions: questions.mixedQuestions,
  },
  { name: 'mix-edns', title: 'the mix with EDNS', servers: everyone, questions: questions.mixedQuestions, edns: true },
  {
    name: 'nxdomain',
    title: 'random names in the closed zone',
    servers: everyone,
    questions: questions.randomQuestions,
  },
  {
    name: 'cached',
    title: 'names of an upstream, in the cache',
    servers: corefileServers,
    questions: questions.upstreamQuestions,
    warm: true,
  },
  {
    name: 'forward',
    title: 'names of an upstream, each new',
    servers: corefileServers,
    questions: (_entries, run, count) => questions.freshQuestions(run, count),
    fresh: true,
  },
  { name: 'pods', title: 'pod names (pods insecure)', servers: corefileServers, questions: questions.podQuestions },
  {
    name: 'reverse',
    title: 'reverse names of endpoints, in a zone with fallthrough',
    servers: corefileServers,
    questions: questions.endpointReverseQuestions,
  },
  {
    name: 'fallthrough',
    title: 'reverse names that fall through, each new',
    servers: corefileServers,
    questions: (_entries, run, count) => questions.foreignReverseQuestions(run, count),
    fresh: true,
  },
  {
    name: 'tcp',
    title: 'the mix over TCP',
    servers: ['knot', 'nsd', 'portolan', 'coredns'],
    questions: questions.mixedQuestions,
    tcp: true,
  },
  {
    name: 'flood',
    title: 'the mix during a flood of pod names',
    servers: corefileServers,
    questions: questions.mixedQuestions,
    beside: { name: 'pods', rate: 20_000 },
  },
]

/** What is measured with one server at a time on a cluster that changes. */
export const liveCases = {
  start: 'from the start of the process to the first right answers',
  churn: 'the mix while 50 endpoints a second change',
  relist: 'the mix during a relist of the whole cluster',
  programming: "from the API server's reply to a patch until the answer shows it",
} as const
export type LiveCase = keyof typeof liveCases

/** Some time after the start, and as long after all load. */
export const memoryCase = 'memory'

export const caseNames: readonly string[] = [
  ...loadCases.map(({ name }) => name),
  memoryCase,
  ...Object.keys(liveCases),
]
