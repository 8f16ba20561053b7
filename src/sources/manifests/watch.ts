/**
 * Tells when files in some directories may have changed. The file system's events come at once but not everywhere (network file
 * systems have none), so a slow poll stands behind them.
 */
import { type FSWatcher, watch } from 'node:fs'
import type { Clock, Timer } from '../../observe/clock.ts'

export interface WatchOptions {
  readonly clock: Clock
  /** False leaves only the poll. */
  readonly events: boolean
  readonly pollMs: number
  /** How long it must be quiet after an event: a program that saves a file touches the folder more than once. */
  readonly quietMs: number
}

/** Calls `onChange` until it is closed. */
export class DirectoryWatch {
  readonly #options: WatchOptions
  readonly #onChange: () => void
  readonly #watchers = new Map<string, { readonly stamp: string; readonly watcher: FSWatcher }>()
  readonly #poll: Timer
  #quiet: Timer | undefined
  #closed = false

  constructor(options: WatchOptions, onChange: () => void) {
    this.#options = options
    this.#onChange = onChange
    this.#poll = options.clock.every(options.pollMs, onChange)
  }

  /**
   * From now on watches these directories, not those below them, and no others. The stamp tells a directory from an earlier one
   * of the same path. Returns whether any was not watched before, and so may have changed unseen.
   */
  watch(directories: ReadonlyMap<string, string>): boolean {
    if (this.#closed) return false
    for (const [path, { stamp }] of this.#watchers) if (directories.get(path) !== stamp) this.#forget(path)
    const added = [...directories].filter(([path]) => this.#options.events && !this.#watchers.has(path))
    return added.map(([path, stamp]) => this.#add(path, stamp)).includes(true)
  }

  close(): void {
    this.#closed = true
    this.#poll.cancel()
    this.#quiet?.cancel()
    for (const path of this.#watchers.keys()) this.#forget(path)
  }

  #add(path: string, stamp: string): boolean {
    try {
      const watcher = watch(path, { persistent: false }, () => this.#wait())
      // A watch ends with its directory, or is refused where the system has too many: the poll goes on.
      watcher.on('error', () => this.#forget(path))
      this.#watchers.set(path, { stamp, watcher })
      return true
    } catch {
      return false
    }
  }

  #forget(path: string): void {
    this.#watchers.get(path)?.watcher.close()
    this.#watchers.delete(path)
  }

  #wait(): void {
    this.#quiet?.cancel()
    this.#quiet = this.#options.clock.after(this.#options.quietMs, this.#onChange)
  }
}
