/**
 * Takes a list of the API server apart while it arrives, object by object, so that neither its text nor what is parsed of it is ever
 * in memory as a whole. Only finds where objects end; whether they are any is left to who parses them.
 */

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** Brackets that are open around an item: that of the list object, and that of its field `items`. */
const AROUND_ITEM = 2
const BEFORE_ITEMS = /(?<!\\)"items"\s*:\s*\[$/

export class ListSplitter {
  /** What stands around the items, and what was read of the item that is under way. */
  readonly #frame: Buffer[] = []
  #item: Buffer[] = []
  #depth = 0
  #inItems = false
  #inText = false
  #escaped = false

  /** The texts of the items that this chunk completes. The chunk must not be changed any more. */
  push(chunk: Buffer): string[] {
    const items: string[] = []
    let start = 0
    for (let i = 0; i < chunk.length; i++) {
      const octet = chunk[i]!
      if (this.#inText) {
        if (this.#escaped) this.#escaped = false
        else if (octet === BACKSLASH) this.#escaped = true
        else if (octet === QUOTE) this.#inText = false
      } else if (octet === QUOTE) {
        this.#inText = true
      } else if (octet === OPEN_OBJECT || octet === OPEN_LIST) {
        if (this.#inItems && this.#depth === AROUND_ITEM) start = i
        this.#depth++
        if (octet === OPEN_LIST && this.#depth === AROUND_ITEM && !this.#inItems) {
          this.#frame.push(chunk.subarray(start, i + 1))
          start = i + 1
          this.#inItems = BEFORE_ITEMS.test(this.end())
        }
      } else if (octet === CLOSE_OBJECT || octet === CLOSE_LIST) {
        this.#depth--
        if (!this.#inItems) continue
        if (this.#depth === AROUND_ITEM) {
          items.push(textOf([...this.#item, chunk.subarray(start, i + 1)]))
          this.#item = []
        } else if (this.#depth < AROUND_ITEM) {
          this.#inItems = false
          start = i
        }
      }
    }
    const rest = chunk.subarray(start)
    if (!this.#inItems) this.#frame.push(rest)
    else if (this.#depth > AROUND_ITEM) this.#item.push(rest)
    return items
  }

  /** The text of the list without its items. */
  end(): string {
    return textOf(this.#frame)
  }
}

function textOf(pieces: readonly Buffer[]): string {
  return (pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)).toString('utf8')
}
