/** A file that a plugin reads, and reads anew when its time or size has changed. What its text means is left to the plugin. */
import { readFile, stat } from 'node:fs/promises'
import { messageOf } from '../errors.ts'
import type { Clock, Timer } from '../observe/clock.ts'

export class PolledFile {
  readonly path: string
  readonly #read: (text: string, modifiedMs: number) => void
  #seen = ''
  #looking = false
  #complaint = ''
  #timer: Timer | undefined

  /** `read` gets the file's text and the time it was last modified (milliseconds since the Unix epoch); it may throw. */
  constructor(path: string, read: (text: string, modifiedMs: number) => void) {
    this.path = path
    this.#read = read
  }

  /** Reads the file if it has changed since the last time. Rejects where it cannot be read, and with what `read` throws. */
  async look(): Promise<void> {
    const { mtimeMs, size } = await stat(this.path)
    if (this.#seen === `${mtimeMs} ${size}`) return
    const text = await readFile(this.path, 'utf8')
    this.#seen = `${mtimeMs} ${size}`
    this.#read(text, mtimeMs)
  }

  /** Looks every `periodMs`, until `stop`; 0 for never. What goes wrong is complained of once, not each time. */
  poll(clock: Clock, periodMs: number, complain: (message: string) => void): void {
    if (periodMs > 0) this.#timer = clock.every(periodMs, () => void this.#again(complain))
  }

  stop(): void {
    this.#timer?.cancel()
  }

  async #again(complain: (message: string) => void): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    const complaint = await this.look().then(() => '', messageOf)
    this.#looking = false
    if (complaint !== '' && complaint !== this.#complaint) complain(complaint)
    this.#complaint = complaint
  }
}
