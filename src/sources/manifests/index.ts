/**
 * The source for a cluster that is written down: a folder (or one file) of the manifests that `kubectl apply` takes, followed as it
 * changes. Whatever is wrong with a file is logged, and the last good state stays.
 */
import type { ClusterWriter, Source } from '../../cluster/contract.ts'
import type { ClusterObject, Kind } from '../../cluster/objects.ts'
import { messageOf, PortolanError } from '../../errors.ts'
import { type Clock, systemClock } from '../../observe/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import { parsePools } from './allocate.ts'
import { compile, type Pools } from './compile.ts'
import { type Listing, listManifests, type Reading, readManifests } from './read.ts'
import { DirectoryWatch } from './watch.ts'

export interface ManifestsOptions {
  /** A folder, read with all folders below it, or a file. */
  readonly path: string
  /** Where services without a clusterIP get theirs: CIDR ranges, one per family, primary first. Default: 10.96.0.0/12 and fd00:10:96::/112. */
  readonly serviceRange?: readonly string[]
  /** The same for pods without an address. Default: 10.244.0.0/16 and fd00:10:244::/64. */
  readonly podRange?: readonly string[]
  /** Default: what names and routes are made from. */
  readonly kinds?: readonly Kind[]
  /** Whether to keep what only explanations need; default false. */
  readonly detail?: boolean
  /** How changes are noticed. Default: `events`, with a poll behind them; `never` reads once. */
  readonly watch?: 'events' | 'poll' | 'never'
  /** Default: 5,000. */
  readonly pollMs?: number
  /** How long the folder must be quiet before it is read again. Default: 50. */
  readonly quietMs?: number
  readonly clock?: Clock
  readonly log?: Pick<Logger, 'info' | 'error'>
}

const usualKinds: readonly Kind[] = ['Namespace', 'Node', 'EndpointSlice', 'Pod', 'Service']

/**
 * Throws a PortolanError for a bad range. `follow` rejects with one if the path cannot be read, and, where changes are not
 * watched, if a file is wrong; where they are, it waits until the files are mended.
 */
export function manifestsSource(options: ManifestsOptions): Source {
  const { serviceRange = ['10.96.0.0/12', 'fd00:10:96::/112'], podRange = ['10.244.0.0/16', 'fd00:10:244::/64'] } =
    options
  const pools = { service: parsePools(serviceRange), pod: parsePools(podRange) }
  return {
    name: 'manifests',
    kinds: options.kinds ?? usualKinds,
    follow: (into, signal) => new Follower(options, pools, into, signal).follow(),
  }
}

class Follower {
  readonly #options: ManifestsOptions
  readonly #pools: Pools
  readonly #into: ClusterWriter
  readonly #signal: AbortSignal
  readonly #first = Promise.withResolvers<void>()
  #watch: DirectoryWatch | undefined
  #turn = Promise.resolve()
  #queued = false
  /** The listing that was looked at last, as text. */
  #listed = ''
  #readings: ReadonlyMap<string, { readonly stamp: string; readonly reading: Reading }> = new Map()
  #written = false
  #complaint = ''

  constructor(options: ManifestsOptions, pools: Pools, into: ClusterWriter, signal: AbortSignal) {
    this.#options = options
    this.#pools = pools
    this.#into = into
    this.#signal = signal
  }

  async follow(): Promise<void> {
    const { watch = 'events', clock = systemClock, pollMs = 5000, quietMs = 50 } = this.#options
    this.#signal.throwIfAborted()
    await this.#list()
    this.#signal.throwIfAborted()
    if (watch !== 'never') {
      this.#watch = new DirectoryWatch({ clock, events: watch === 'events', pollMs, quietMs }, () => this.#look())
    }
    this.#signal.addEventListener('abort', () => this.#stop(), { once: true })
    this.#look()
    return this.#first.promise
  }

  #stop(): void {
    this.#watch?.close()
    this.#first.reject(this.#signal.reason)
  }

  /** Looks once those before it are through; one that waits already will see what has changed until then. */
  #look(): void {
    if (this.#queued) return
    this.#queued = true
    this.#turn = this.#turn.then(async () => {
      this.#queued = false
      try {
        await this.#update()
      } catch (error) {
        this.#listed = ''
        this.#complain([error])
      }
    })
  }

  async #update(): Promise<void> {
    let listing = await this.#list()
    // What was not watched before may have changed just before the watch began.
    while (this.#watch?.watch(listing.directories)) listing = await this.#list()
    const listed = JSON.stringify([...listing.files])
    if (listed === this.#listed) return
    const readings = await this.#read(listing)
    if (this.#signal.aborted) return
    this.#listed = listed
    const { kinds = usualKinds, detail = false } = this.#options
    const manifests = readings.flatMap(({ manifests }) => manifests)
    const { objects, problems } = compile(manifests, this.#pools, { kinds, detail })
    const all = [...readings.flatMap(({ problems }) => problems), ...problems]
    if (all.length > 0) this.#complain(all)
    else await this.#write(objects)
  }

  async #list(): Promise<Listing> {
    const { path } = this.#options
    try {
      return await listManifests(path)
    } catch (cause) {
      const message = `cannot read the manifests at ${path}: ${messageOf(cause)}`
      throw new PortolanError('PORTOLAN_MANIFESTS_PATH', message, { cause })
    }
  }

  /** Reads the files that are new or changed; parsing YAML is slow. */
  async #read({ files }: Listing): Promise<Reading[]> {
    const readings = new Map<string, { stamp: string; reading: Reading }>()
    for (const [file, stamp] of files) {
      const known = this.#readings.get(file)
      readings.set(file, known?.stamp === stamp ? known : { stamp, reading: await readManifests(file) })
    }
    this.#readings = readings
    return [...readings.values()].map(({ reading }) => reading)
  }

  async #write(objects: readonly ClusterObject[]): Promise<void> {
    for (const kind of this.#options.kinds ?? usualKinds) {
      const replacement = this.#into.replace(kind, this.#signal)
      await replacement.page(objects.filter(object => object.kind === kind))
      await replacement.done()
    }
    if (this.#complaint !== '') this.#options.log?.info(`${this.#options.path} is read without errors again`)
    this.#complaint = ''
    this.#written = true
    this.#first.resolve()
  }

  /** Logs what is wrong, but not again while it is the same. */
  #complain(problems: readonly unknown[]): void {
    const { path, watch, log } = this.#options
    if (this.#signal.aborted) return
    if (watch === 'never') this.#first.reject(problems[0])
    const messages = problems.map(messageOf)
    const complaint = messages.join('\n')
    if (complaint === this.#complaint) return
    this.#complaint = complaint
    for (const message of messages) log?.error(message)
    log?.error(`${this.#written ? 'the last good state stays' : 'nothing can be served'} until ${path} is mended`)
  }
}
