/**
 * What a C library makes of a resolv.conf. It reads letter by letter where others read words, and has limits of its own; sources: glibc's
 * resolv/res_init.c, musl's src/network/resolvconf.c. What a process sets in its environment (RES_OPTIONS, LOCALDOMAIN) is not seen here.
 */
import { numericHost } from './numeric-host.ts'

/** `glibc` is 2.26 or newer, `musl` 1.2.4 or newer; the others stand for what was before. */
export const libcs = ['glibc', 'glibc-2.25', 'musl', 'musl-1.2.3'] as const
export type Libc = (typeof libcs)[number]

export interface ResolverConfig {
  /** Addresses, at most 3 and at least one: where the file names none, the machine itself is asked. */
  readonly servers: readonly string[]
  readonly search: readonly string[]
  /** A name with so many dots is asked as it stands first. */
  readonly ndots: number
  readonly timeoutSeconds: number
  readonly attempts: number
  readonly rotate: boolean
  readonly useTcp: boolean
  readonly singleRequest: boolean
  readonly singleRequestReopen: boolean
  readonly edns: boolean
  readonly trustAd: boolean
  readonly noAaaa: boolean
  readonly noTldQuery: boolean
}

type Draft = { -readonly [K in keyof ResolverConfig]: ResolverConfig[K] }

const MOST_SERVERS = 3

const usual: ResolverConfig = {
  servers: [],
  search: [],
  ndots: 1,
  timeoutSeconds: 5,
  attempts: 2,
  rotate: false,
  useTcp: false,
  singleRequest: false,
  singleRequestReopen: false,
  edns: false,
  trustAd: false,
  noAaaa: false,
  noTldQuery: false,
}

/**
 * Reads a file as the library does. `hostname` is the machine's: glibc takes what stands behind its first dot for a search list where the
 * file has none.
 */
export function resolverConfig(text: string, libc: Libc, hostname = ''): ResolverConfig {
  const config = libc.startsWith('musl') ? muslConfig(text) : glibcConfig(text, hostname)
  if (libc === 'glibc-2.25') config.search = fitting(config.search)
  if (config.servers.length === 0) config.servers = ['127.0.0.1']
  return config
}

/** The longest list before glibc 2.26: 6 names in 256 letters. */
function fitting(search: readonly string[]): string[] {
  const kept = search.slice(0, 6)
  while (kept.join(' ').length > 256) kept.pop()
  return kept
}

function glibcConfig(text: string, hostname: string): Draft {
  const config: Draft = { ...usual }
  for (const line of text.split('\n')) {
    // A keyword must begin the line, which is why a comment needs no rule of its own.
    const [, keyword, rest = ''] = /^(nameserver|search|domain|options)[ \t]+(.*)$/s.exec(line) ?? []
    const words = rest.split(/[ \t]+/).filter(word => word !== '')
    const [first] = words
    if (first === undefined) continue
    if (keyword === 'nameserver') addServer(config, first)
    else if (keyword === 'search') config.search = words
    else if (keyword === 'domain') config.search = [first]
    else for (const word of words) setGlibcOption(config, word)
  }
  const [, domain] = /^[^.]*\.(.+)$/.exec(hostname) ?? []
  if (config.search.length === 0 && domain !== undefined) config.search = [domain]
  return config
}

function addServer(config: Draft, text: string): void {
  const address = numericHost(text)
  if (address !== undefined && config.servers.length < MOST_SERVERS) config.servers = [...config.servers, address]
}

/** Options without a value. The library compares beginnings, so the longer of two comes first. */
const glibcFlags = {
  rotate: 'rotate',
  edns0: 'edns',
  'single-request-reopen': 'singleRequestReopen',
  'single-request': 'singleRequest',
  no_tld_query: 'noTldQuery',
  'no-tld-query': 'noTldQuery',
  'use-vc': 'useTcp',
  'trust-ad': 'trustAd',
  'no-aaaa': 'noAaaa',
} as const satisfies Readonly<Record<string, keyof ResolverConfig>>

function setGlibcOption(config: Draft, word: string): void {
  const [, name, digits = ''] = /^(ndots|timeout|attempts):(-?\d*)/.exec(word) ?? []
  const value = Number.parseInt(digits, 10) || 0
  // A negative number of dots becomes the largest that its 4 bits hold.
  if (name === 'ndots') config.ndots = value < 0 ? 15 : Math.min(value, 15)
  else if (name === 'timeout') config.timeoutSeconds = Math.min(value, 30)
  else if (name === 'attempts') config.attempts = Math.min(value, 5)
  const flag = Object.entries(glibcFlags).find(([beginning]) => word.startsWith(beginning))
  if (flag !== undefined) config[flag[1]] = true
}

/** Longer lines are passed over as a whole, of 255 letters with the end of the line. */
const LONGEST_MUSL_LINE = 254

function muslConfig(text: string): Draft {
  const config: Draft = { ...usual }
  for (const line of text.split('\n').filter(line => line.length <= LONGEST_MUSL_LINE)) {
    // An empty list counts as one.
    const [, keyword, rest = ''] = /^(nameserver|search|domain|options)\s(.*)$/s.exec(`${line}\n`) ?? []
    const words = rest.split(/\s+/).filter(word => word !== '')
    if (keyword === 'nameserver') addServer(config, words[0] ?? '')
    else if (keyword === 'options') setMuslOptions(config, rest)
    else if (keyword !== undefined) config.search = words
  }
  return config
}

/** The first of each kind, wherever it stands in the line. */
function setMuslOptions(config: Draft, rest: string): void {
  const value = (name: string) => {
    const digits = new RegExp(`^.*?${name}:(\\d+)`).exec(rest)?.[1]
    return digits === undefined ? undefined : Number(digits)
  }
  config.ndots = Math.min(value('ndots') ?? config.ndots, 15)
  config.timeoutSeconds = Math.min(value('timeout') ?? config.timeoutSeconds, 60)
  // With 0 attempts musl divides by zero and dies.
  config.attempts = Math.max(1, Math.min(value('attempts') ?? config.attempts, 10))
}
