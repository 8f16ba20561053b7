/** Maps and sets of nftables as they fill up, and how they are written. */

/** Longest comment that nft takes, in octets. */
const longestComment = 120

/** A map or set and its elements, each key once: whoever comes first has it, and nft would refuse all rules otherwise. */
export class Elements {
  readonly #head: string
  readonly #values = new Map<string, string>()

  /** `head` names it and gives its type: `map services { type ipv4_addr : verdict`. */
  constructor(head: string) {
    this.#head = head
  }

  /** Tells whether the key was free. Without a value it is an element of a set. */
  add(key: string, value = ''): boolean {
    const free = !this.#values.has(key)
    if (free) this.#values.set(key, value)
    return free
  }

  write(lines: string[]): void {
    lines.push(`\t${this.#head}`)
    if (this.#values.size > 0) {
      const elements = [...this.#values].map(([key, value]) => (value === '' ? key : `${key} : ${value}`))
      lines.push(`\t\telements = { ${elements.join(',\n\t\t\t')} }`)
    }
    lines.push('\t}')
  }
}

/** A chain with its rules. */
export function writeChain(lines: string[], name: string, rules: readonly string[]): void {
  lines.push(`\tchain ${name} {`, ...rules.map(rule => `\t\t${rule}`), '\t}')
}

/** A comment for people; what nft could stumble over is left out, and what is too long is cut. */
export function remark(text: string): string {
  return `comment "${text.replace(/[^\x20-\x7e]|["\\]/g, '_').slice(0, longestComment)}"`
}
