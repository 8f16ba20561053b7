/** Rules of iptables, as iptables-restore reads and iptables-save writes them, in a form in which those that mean the same are equal. */
import type { Comparable } from './rule-comparison.ts'

/** Most rules are only compared: what else there is to know of one is worked out when it is asked for. */
export class Rule implements Comparable {
  /** As it stands, without its chain. */
  readonly text: string
  /** Its options in one order and one spelling, without the comment. */
  readonly meaning: string
  /** Empty where there is none. */
  readonly comment: string
  readonly #options: readonly string[]

  /** `text` is what stands behind `-A CHAIN `. `counting` says whether it matters that packets are counted (nfacct). */
  constructor(text: string, counting: boolean) {
    const options: string[] = []
    let comment = ''
    let [name, value, negated, next] = ['', '', false, false]
    const enter = () => {
      const option = canonicalOption(name, value)
      if (name === '--comment') comment = value
      else if (name === '' || (!counting && name === '--nfacct-name')) return
      else if (negated) options.push(`! ${option}`)
      else if (!unsaid.has(option)) options.push(option)
    }
    readWords(text, (word, quoted) => {
      if (quoted || (word !== '!' && word.charCodeAt(0) !== DASH)) value = value === '' ? word : `${value} ${word}`
      else if (word === '!') next = true
      else {
        enter()
        ;[name, value, negated, next] = [word, '', next, false]
      }
    })
    enter()
    this.text = text
    this.comment = comment
    this.#options = options.sort()
    this.meaning = options.join(' ')
  }

  /** Behind `-j` or `-g`; empty where there is none. */
  get target(): string {
    return this.value('-j') ?? this.value('-g') ?? ''
  }

  get place(): string | undefined {
    const [protocol, port] = [this.value('-p'), this.value('--dport')]
    return protocol && port ? `${protocol} ${port}` : undefined
  }

  get address(): string | undefined {
    const address = this.value('-d')
    return address && /\/(32|128)$/.test(address) ? address : undefined
  }

  /** The value of an option, in its one spelling: `value('--to-destination')`. */
  value(option: string): string | undefined {
    return this.#options.find(other => other.startsWith(`${option} `))?.slice(option.length + 1)
  }
}

const [QUOTE, BACKSLASH, DASH] = [0x22, 0x5c, 0x2d]

function readWords(text: string, take: (word: string, quoted: boolean) => void): void {
  for (let at = 0; at < text.length; ) {
    const quoted = text.charCodeAt(at) === QUOTE
    const blank = quoted ? endOfQuote(text, at) : text.indexOf(' ', at)
    const end = blank < 0 ? text.length : blank
    // iptables-save may write two blanks.
    if (quoted) take(text.slice(at + 1, end - 1).replace(/\\(.)/g, '$1'), true)
    else if (end > at) take(text.slice(at, end), false)
    at = end + 1
  }
}

/** Behind the closing quote. */
function endOfQuote(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === BACKSLASH) i++
    else if (code === QUOTE) return i + 1
  }
  return text.length + 1
}

/** Modules whose options say that they are there, or that have none; and what iptables-save says and nobody needs to. */
const unsaid = new Set([
  ...'tcp udp sctp comment conntrack addrtype mark statistic recent nfacct'.split(' ').map(module => `-m ${module}`),
  '--reject-with icmp-port-unreachable',
  '--reject-with icmp6-port-unreachable',
  '--rsource',
  '--mask 255.255.255.255',
  '--mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
])

const protocols: Readonly<Record<string, string>> = { '6': 'tcp', '17': 'udp', '132': 'sctp' }

/** The kernel keeps probabilities in units of 2^-31. */
const unit = 2 ** 31

function canonicalOption(name: string, value: string): string {
  if (value === '') return name
  switch (name) {
    case '-s':
    case '-d':
      return value.includes('/') ? `${name} ${value}` : `${name} ${value}/${value.includes(':') ? 128 : 32}`
    case '-p':
      return `-p ${protocols[value] ?? value}`
    case '--probability':
      return `--probability ${Math.round(Number(value) * unit)}/2^31`
    case '--or-mark':
      return `--set-xmark ${value}/${value}`
    case '--xor-mark':
      return `--set-xmark ${value}/0x0`
    case '--ctstate':
      return `--ctstate ${value.split(',').sort().join(',')}`
    default:
      return `${name} ${value}`
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
