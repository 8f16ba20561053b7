/**
 * Which of the usable endpoints a connection gets: the words for it, and the list that every way of choosing works on. The ways
 * themselves are disciplines, one for each scheduler of IPVS (Linux, `net/netfilter/ipvs/`) and one for iptables and nftables.
 */
import type { Backend } from '../route.ts'

/** Chooses for one virtual address. Backends are told apart by their `address`. */
export interface Scheduler {
  /**
   * The backend of a new connection from this address; undefined where there is none. `except` are addresses that shall not be
   * chosen now, as IPVS passes over a server that is overloaded.
   */
  choose(client: string, except?: ReadonlySet<string>): Backend | undefined
  /** A connection to the backend is open; it is told once by `closed` that it no longer is. */
  opened(backend: Backend): void
  closed(backend: Backend): void
  /**
   * From now on these are the backends. Those that stay keep their place, their connections and what was remembered of them; one that
   * comes back while connections to it are still open has them again.
   */
  update(backends: readonly Backend[]): void
}

/** A backend as a discipline sees it: the same object for as long as the backend stays. */
export interface Member {
  readonly backend: Backend
  /** 0 takes it out of the choice; connections that it has go on. */
  readonly weight: number
  /** Its open connections. IPVS also counts those that are ending, 256 of them for one; here a connection is open or gone. */
  readonly open: number
}

/** Whether a member may be chosen now. */
export type May = (member: Member) => boolean

/** A way of choosing. The newest member comes first, as IPVS adds servers at the head of its list; of equals the first is chosen. */
export interface Discipline {
  pick(members: readonly Member[], may: May, client: string): Member | undefined
  /** `members` come after a change; `before` has those that are gone as well, at their old places among the others. */
  changed?(members: readonly Member[], before: readonly Member[]): void
}

/** Kubernetes knows no weights, so each is 1 unless somebody says otherwise. */
export type WeightOf = (backend: Backend) => number

const nobody: ReadonlySet<string> = new Set()

/** A scheduler of one discipline. It starts without backends. */
export class ListScheduler implements Scheduler {
  readonly #discipline: Discipline
  readonly #weightOf: WeightOf
  #members: readonly Counted[] = []
  /** By address: members, and those that are gone but have connections. */
  readonly #known = new Map<string, Counted>()

  constructor(discipline: Discipline, weightOf: WeightOf = () => 1) {
    this.#discipline = discipline
    this.#weightOf = weightOf
  }

  choose(client: string, except = nobody): Backend | undefined {
    const may: May = ({ weight, backend }) => weight > 0 && !except.has(backend.address)
    return this.#discipline.pick(this.#members, may, client)?.backend
  }

  opened({ address }: Backend): void {
    const member = this.#known.get(address)
    if (member !== undefined) member.open++
  }

  closed({ address }: Backend): void {
    const member = this.#known.get(address)
    if (member === undefined) return
    member.open--
    if (member.open === 0 && !this.#members.includes(member)) this.#known.delete(address)
  }

  update(backends: readonly Backend[]): void {
    const wanted = new Map(backends.map(backend => [backend.address, backend]))
    const present = new Set(this.#members)
    const added: Counted[] = []
    for (const backend of wanted.values()) {
      const weight = this.#weightOf(backend)
      const member = this.#known.get(backend.address) ?? { backend, weight, open: 0 }
      this.#known.set(backend.address, Object.assign(member, { backend, weight }))
      if (!present.has(member)) added.unshift(member)
    }
    const before = [...added, ...this.#members]
    this.#members = before.filter(({ backend }) => wanted.has(backend.address))
    for (const { backend, open } of before) {
      if (open === 0 && !wanted.has(backend.address)) this.#known.delete(backend.address)
    }
    this.#discipline.changed?.(this.#members, before)
  }
}

interface Counted {
  backend: Backend
  weight: number
  open: number
}
