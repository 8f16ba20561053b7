/** A kind that names do not need, followed into the cluster's state for somebody who does. */
import type { ClusterWriter, Inclusion, KindStatus, Source } from '../../cluster/contract.ts'
import type { Kind } from '../../cluster/objects.ts'
import { messageOf } from '../../errors.ts'

export interface IncludedKindOptions {
  readonly kind: Kind
  readonly into: ClusterWriter
  readonly source: () => Promise<Source>
  /** Aborts when the cluster is no longer followed. */
  readonly closed: AbortSignal
}

export class IncludedKind implements Inclusion {
  readonly synced: Promise<void>
  readonly #options: IncludedKindOptions
  readonly #stop = new AbortController()
  #status: () => KindStatus | undefined = () => undefined

  constructor(options: IncludedKindOptions) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.synced = promise
    this.#options = options
    this.#follow().then(resolve, error => this.#failed(messageOf(error)))
  }

  status(): KindStatus | undefined {
    return this.#status()
  }

  end(): void {
    const { kind, into, closed } = this.#options
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    // A replacement without a page leaves nothing of it.
    if (!closed.aborted) void into.replace(kind).done()
  }

  async #follow(): Promise<void> {
    const { into, source, closed } = this.#options
    const opened = await source()
    this.#status = () => opened.status?.()[0]
    await opened.follow(into, AbortSignal.any([closed, this.#stop.signal]))
  }

  /** What a retry cannot cure: the access is wrong, and the cluster's own kinds have the same one and say so. */
  #failed(problem: string): void {
    const { kind } = this.#options
    this.#status = () => ({ kind, following: false, problem, staleMs: undefined, check: undefined })
  }
}

/** For a kind that is followed in any case. */
export function alreadyThere(synced: Promise<void>): Inclusion {
  return { synced, status: () => undefined, end: () => undefined }
}
