/**
 * What a plugin is: a link of a server block's chain, and how it is made from a directive of the Corefile.
 */
import type { SharedCluster, Source } from '../cluster/contract.ts'
import type { Kind } from '../cluster/objects.ts'
import type { Directive } from '../corefile/directive.ts'
import type { HttpHub } from '../net/http-hub.ts'
import type { Clock, Random } from '../observe/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Spaces } from '../table/contract.ts'
import type { Answer } from '../wire/answer.ts'
import type { NameKey } from '../wire/name.ts'
import type { Query } from '../wire/query.ts'
import type { Footprint } from './footprint.ts'
import type { SearchLists } from './search-lists.ts'

/** What goes back to the client, and who made it. */
export interface Reply {
  readonly answer: Answer
  /** The plugin that made the answer; empty where the server itself did. A label of the metrics. */
  readonly plugin: string
  /** Why an answer is a failure, for `errors`: an upstream that timed out, a zone not yet synced. */
  readonly error?: Error
  /**
   * The EDNS size that the response is cut to and repeats, where a plugin (`bufsize`) lowered what the client advertised. It is
   * never above that, and only there when the query has OPT.
   */
  readonly size?: number
  /**
   * The answer must not be kept for the next one who asks: it was made from state that changes at any moment (a cluster's) or
   * for this client.
   */
  readonly current?: boolean
}

export type Next = (query: Query) => Reply | Promise<Reply>

/**
 * A link of the chain. It answers, passes the query on, or passes it on and edits what comes back. What needs no waiting is
 * returned as a plain value: a chain of four costs 4 ns that way and 380 ns if each link is `async`.
 */
export interface Plugin {
  readonly name: string
  handle(query: Query, next: Next): Reply | Promise<Reply>
  /**
   * Whether a query that reaches the plugin is answered by itself, with a reply that is `current`. Then `cache`, which stands
   * before it, does not even look up: what it may hold from before the name existed is no longer true. Only for plugins that are
   * responsible for names; must be cheap. Absent means never.
   */
  current?(query: Query): boolean
  /**
   * What the link does to queries, for the answer table, from which many are answered without coming here. Absent means: anything
   * to any of them, so that what stands behind the link is not published.
   */
  readonly footprint?: Footprint
  /** What the plugin knows of its clients' search lists; absent where it is none to ask. */
  readonly searchLists?: SearchLists
  /**
   * What runs at a client's address, as `namespace/name`, without what tells the replicas of one workload apart. Undefined where that is not
   * known; absent where the plugin knows no clients.
   */
  workloadAt?(address: string): string | undefined
  /** For the `ready` plugin; absent means always ready. */
  ready?(): boolean
  /** How current what the plugin answers from is, for `ready`; absent where it cannot fall behind. */
  freshness?(): Freshness
  /** The cluster that it answers from, for plugins of its server block that make something else of it; absent where it has none. */
  readonly shares?: SharedCluster
  /**
   * Tries what the plugin needs of the outside, without `start`: for `check --live`. Rejects with a PortolanError where nothing could
   * be tried; absent where there is nothing to try.
   */
  probe?(): Promise<Probed>
  /** Runs before the first query. A rejection stops the start (or the reload). */
  start?(): Promise<void>
  /** Runs when the process is to end, while queries are still answered; listeners close when all have resolved. */
  drain?(): Promise<void>
  /** Gives everything back; no query comes any more. */
  stop?(): Promise<void>
}

export interface Freshness {
  /** How long ago all of it was last seen to be current; infinite where it never was. */
  readonly staleMs: number
  /** A line for each of its parts, for people. */
  readonly lines: readonly string[]
}

export interface Probed {
  /** Whether the plugin would have what it needs. */
  readonly ok: boolean
  /** What was tried and what came of it, for people. */
  readonly lines: readonly string[]
}

/** A plugin that only sets something up (`bind`, `reload`, `health`) has no link in the chain. */
export type Fixture = Omit<Plugin, 'handle'> & { readonly handle?: undefined }

export interface PluginDefinition {
  readonly name: string
  /** Reads the directive and makes the plugin. Throws a positioned PortolanError for what it cannot accept. No side effects: these wait for `start`. */
  setup(directive: Directive, context: SetupContext): Plugin | Fixture
  /** May stand more than once in a server block; each becomes a link, in the order of the Corefile. Absent means an error for the second. */
  readonly repeatable?: boolean
}

/** The server block that a plugin stands in. */
export interface Block {
  /** The zones of the block's keys, lower case, in the order of the Corefile. */
  readonly origins: readonly NameKey[]
  /** The port of the first key. */
  readonly port: number
  /** `dns://:53`, or with `bind` `dns://127.0.0.1:53`: the `server` label of the metrics. */
  readonly label: string
  /** Hosts or addresses to listen on; `bind` adds to it. Empty means all addresses. */
  listen: readonly string[]
  /** How many sockets the block wants its port to have (`multisocket`); absent where it does not say. */
  sockets?: number
  /** Where relative paths start; `root` replaces it before other plugins are set up. */
  directory: string
  /** The block as the Corefile has it, for messages that speak of other lines than the plugin's own. */
  readonly directives: readonly Directive[]
  /** The links and fixtures of the block in order; complete when `start` runs. */
  readonly plugins: readonly (Plugin | Fixture)[]
}

/** Everything of the outside world that a plugin may use. */
export interface SetupContext {
  readonly block: Block
  readonly clock: Clock
  readonly random: Random
  /** Its lines begin with `plugin/NAME: `. */
  readonly log: Logger
  readonly metrics: Metrics
  readonly http: HttpHub
  /** The block's `directory`, once `root` has had its say. */
  readonly directory: string
  /**
   * Things that outlive a reload: two plugins, or two generations of one, that share a key get the same thing. It is closed when
   * the last generation that asked for it has stopped.
   */
  readonly resources: Resources
  readonly server: ServerControl
  /** The answer table, to publish in what threads answer; absent where all queries come through the chain. */
  readonly table?: Spaces | undefined
  /** Where all clusters are read from, whatever directives say of their sources; absent in a server. */
  readonly clusters?: ((kinds: readonly Kind[]) => Source) | undefined
}

export interface Resources {
  share<T extends { close(): Promise<void> | void }>(key: string, create: () => T): T
}

/** What a plugin may ask of the server as a whole. */
export interface ServerControl {
  /** Answers through the server blocks of the plugin's own port, as if a client had asked: the longest matching zone is found anew. */
  ask(query: Query): Reply | Promise<Reply>
  /** True when the Corefile, or a file that it imports, is neither what is being served nor what `reload` refused last. */
  corefileChanged(): Promise<boolean>
  /** The SHA-512 of the configuration being served, in lower-case hexadecimal digits. */
  readonly corefileHash: string
  /** Loads the Corefile anew; a bad one is reported and the old configuration stays. Resolves to whether it was taken. */
  reload(): Promise<boolean>
  /** What footprints say has changed: what the answer table says of names is made anew, before this returns. */
  republish(): void
  /** Ends the process with a readable reason: for a state that must not go on (a forwarding loop). */
  fail(reason: Error): void
  /** The addresses that the server listens on, with port 0 resolved; none yet while plugins start. */
  addresses(): readonly { readonly address: string; readonly port: number }[]
}
