/** DNS messages on a byte stream: each has its length before it in two octets (RFC 1035 section 4.2.2). */

/** Octets of the length. */
const PREFIX = 2

/** Cuts a stream into messages. Holds at most one unfinished message and the chunk that was last given. */
export class MessageStream {
  #chunks: Buffer[] = []
  #held = 0
  /** Octets that must be there before there is anything to do. */
  #wanted = PREFIX

  /** Whether a message has begun and not ended. */
  get unfinished(): boolean {
    return this.#held > 0
  }

  /** The messages that `chunk` completes; they share its memory. */
  push(chunk: Buffer): Buffer[] {
    const messages: Buffer[] = []
    this.#chunks.push(chunk)
    this.#held += chunk.length
    while (this.#held >= this.#wanted) {
      const octets = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
      const end = PREFIX + octets.readUInt16BE(0)
      const rest = octets.length < end ? octets : octets.subarray(end)
      this.#wanted = octets.length < end ? end : PREFIX
      if (octets.length >= end) messages.push(octets.subarray(PREFIX, end))
      this.#chunks = rest.length === 0 ? [] : [rest]
      this.#held = rest.length
    }
    return messages
  }
}

/** The message with its length before it. */
export function framed(message: Uint8Array): Buffer {
  const octets = Buffer.allocUnsafe(PREFIX + message.length)
  octets.writeUInt16BE(message.length, 0)
  octets.set(message, PREFIX)
  return octets
}
