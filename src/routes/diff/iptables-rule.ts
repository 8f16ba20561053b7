/** Rules of iptables, as iptables-restore reads and iptables-save writes them, in a form in which those that mean the same are equal. */
import type { Comparable } from './rule-comparison.ts'

export interface Rule extends Comparable {
  /** As it stands, without its chain. */
  readonly text: string
  /** Its options in one order and one spelling, without the comment. */
  readonly meaning: string
  /** Behind `-j` or `-g`; empty where there is none. */
  readonly target: string
  /** The value of an option, in its one spelling: `value('--to-destination')`. */
  value(option: string): string | undefined
}

/** Modules whose options say that they are there, or that have none. */
const implied = new Set(
  'tcp udp sctp comment conntrack addrtype mark statistic recent nfacct'.split(' ').map(module => `-m ${module}`),
)

/** What iptables-save says and nobody needs to: these are the defaults. */
const defaults = new Set([
  '--reject-with icmp-port-unreachable',
  '--reject-with icmp6-port-unreachable',
  '--rsource',
  '--mask 255.255.255.255',
  '--mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
])

const protocols: Readonly<Record<string, string>> = { '6': 'tcp', '17': 'udp', '132': 'sctp' }

/** Reads what stands behind `-A CHAIN `. `counting` says whether it matters that packets are counted (nfacct). */
export function readRule(text: string, counting: boolean): Rule {
  const options: string[] = []
  const values = new Map<string, string>()
  let comment = ''
  for (const { name, value, negated } of readOptions(text)) {
    if (name === '--comment') comment = value
    else if (name !== '-c' && (counting || name !== '--nfacct-name')) {
      const [spelling, canonical] = canonicalOption(name, value)
      const whole = canonical === '' ? spelling : `${spelling} ${canonical}`
      if (negated) options.push(`! ${whole}`)
      else {
        values.set(spelling, canonical)
        if (!implied.has(whole) && !defaults.has(whole)) options.push(whole)
      }
    }
  }
  const [protocol, port, address] = [values.get('-p'), values.get('--dport'), values.get('-d')]
  return {
    text,
    meaning: options.sort().join(' '),
    comment,
    target: values.get('-j') ?? values.get('-g') ?? '',
    place: protocol && port ? `${protocol} ${port}` : undefined,
    address: address && /\/(32|128)$/.test(address) ? address : undefined,
    value: option => values.get(option),
  }
}

interface Option {
  readonly name: string
  readonly value: string
  readonly negated: boolean
}

const word = /"((?:\\.|[^"\\])*)"|(\S+)/g

function readOptions(text: string): Option[] {
  const options: { name: string; value: string; negated: boolean }[] = []
  let negated = false
  for (const [, quoted, plain] of text.matchAll(word)) {
    const last = options.at(-1)
    if (quoted !== undefined && last) last.value = join(last.value, quoted.replace(/\\(.)/g, '$1'))
    else if (plain === '!') negated = true
    else if (plain?.startsWith('-')) {
      options.push({ name: plain, value: '', negated })
      negated = false
    } else if (plain !== undefined && last) last.value = join(last.value, plain)
  }
  return options
}

function join(a: string, b: string): string {
  return a === '' ? b : `${a} ${b}`
}

/** The kernel keeps probabilities in units of 2^-31. */
const unit = 2 ** 31

function canonicalOption(name: string, value: string): readonly [name: string, value: string] {
  switch (name) {
    case '-s':
    case '-d':
      return [name, value.includes('/') ? value : `${value}/${value.includes(':') ? 128 : 32}`]
    case '-p':
      return [name, protocols[value] ?? value]
    case '--probability':
      return [name, `${Math.round(Number(value) * unit)}/2^31`]
    case '--or-mark':
      return ['--set-xmark', `${value}/${value}`]
    case '--xor-mark':
      return ['--set-xmark', `${value}/0x0`]
    case '--ctstate':
      return [name, value.split(',').sort().join(',')]
    default:
      return [name, value]
  }
}

/** What a rule is for in its chain, if that can be told: then another one that is for the same stands in its place. */
export function roleOf(chain: string, rule: Rule): string | undefined {
  const { target, place } = rule
  if (/^KUBE-SEP-/.test(chain)) return target
  if (/^KUBE-SV[CL]-/.test(chain)) return `${target} ${rule.value('--name') ?? ''}`
  if (/^KUBE-(EXT|FW)-/.test(chain)) return undefined
  return place && `${rule.value('-d') ?? ''} ${rule.value('-s') ?? ''} ${place}`
}
