/** What a load generator is: asks one server on loopback, bounded, and tells how it answered. */

export interface LoadOptions {
  readonly port: number
  /** A file of `name TYPE` lines, asked in order and over again. */
  readonly questions: string
  readonly seconds: number
  /** Queries per second; without it as many as are answered. */
  readonly rate?: number
  /** Whether each query has an OPT record. */
  readonly edns?: boolean
  /** Over TCP, and not over UDP. */
  readonly tcp?: boolean
  /** The address that is asked from; any of loopback's unless given. dnsperf only. */
  readonly from?: string
  readonly signal: AbortSignal
}

export interface Load {
  readonly answered: number
  readonly lost: number
  readonly perSecond: number
  /** How many answers had which code, by its name. */
  readonly codes: Readonly<Record<string, number>>
  /** Of each answer, in milliseconds; only with a rate. */
  readonly latencies: readonly number[]
}

export interface Generator {
  /** For people: the program and its options. */
  readonly name: string
  readonly canTcp: boolean
  run(options: LoadOptions): Promise<Load>
}

/** Clients at once, and questions that wait for their answers at once: in all, without and with a rate. */
export const bounds = { clients: 4, waiting: 200, waitingAtRate: 1000, timeoutSeconds: 2 } as const
