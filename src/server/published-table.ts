/**
 * The answer table as the server has it: a directory for each address that is listened on, what is counted of its answers, and
 * the control thread's own way of answering from it. What stands in the table is the plugins'.
 */
import type { HostPort } from '../corefile/addresses.ts'
import type { Clock } from '../observe/clock.ts'
import type { Metrics } from '../observe/metrics.ts'
import { COUNTER_WORDS, TrafficFolder } from '../observe/traffic-folder.ts'
import { Answerer, ASK, DROP } from '../table/answerer.ts'
import { Transport, UNITS_PER_MS } from '../table/counters.ts'
import { TableReader } from '../table/reader.ts'
import { AnswerTable } from '../table/table.ts'
import { hasIPv6, type Peer } from '../wire/query.ts'
import { directoryOf } from './directory.ts'
import type { Respond } from './listener.ts'
import { processNow } from './process-clock.ts'
import type { Router } from './router.ts'

/** Memory that one thread counts in. */
export interface ThreadCounters {
  readonly words: SharedArrayBuffer
  /** To be called once the thread has ended. */
  close(): void
}

/** The longest message over any transport, and room behind it. */
const SCRATCH = 65_536

export class PublishedTable {
  readonly table = new AnswerTable({ now: processNow })
  readonly #folder: TrafficFolder
  readonly #scratch = new Uint8Array(SCRATCH)
  readonly #answerer: Answerer
  readonly #closeAnswerer: () => void
  readonly #stopGathering: () => void

  constructor(metrics: Metrics, clock: Clock) {
    this.#folder = new TrafficFolder(metrics, clock)
    const counters = this.counters()
    const number = this.table.openReader()
    this.#answerer = new Answerer({
      reader: new TableReader(this.table.memory, number),
      octets: this.#scratch,
      counters: new Uint32Array(counters.words),
    })
    this.#closeAnswerer = () => {
      this.table.closeReader(number)
      counters.close()
    }
    this.#stopGathering = this.#gather(metrics)
  }

  counters(): ThreadCounters {
    const words = new SharedArrayBuffer(COUNTER_WORDS * 4)
    return { words, close: this.#folder.register(new Uint32Array(words)) }
  }

  /** Says of the endpoint what `router`'s plugins publish now. */
  publish(directory: number, { host }: HostPort, router: Router): void {
    this.table.setDirectory(directory, directoryOf(router, host, this.#folder.numberOf))
  }

  /** Answers from the table what can be, and has `respond` answer the rest. */
  first(directory: number, respond: Respond): Respond {
    return (packet, peer) => {
      if (packet.length > SCRATCH) return respond(packet, peer)
      const scratch = this.#scratch
      scratch.set(packet)
      const began = processNow()
      this.#answerer.begin(began)
      const length = this.#answerer.answer(directory, 0, packet.length, SCRATCH, transportOf(peer))
      this.#answerer.end((processNow() - began) * UNITS_PER_MS)
      if (length === ASK) return respond(packet, peer)
      if (length === DROP) return undefined
      const reply = Buffer.allocUnsafe(length)
      reply.set(scratch.subarray(0, length))
      return reply
    }
  }

  stop(): void {
    this.#closeAnswerer()
    this.#stopGathering()
    this.#folder.close()
  }

  #gather(metrics: Metrics): () => void {
    const gauge = (name: string, help: string) => metrics.gauge(name, help, []).of()
    const bytes = gauge('portolan_answer_table_bytes', 'Memory that the answer table may use by now.')
    const used = gauge('portolan_answer_table_used_bytes', 'Memory that the answer table uses.')
    const limbo = gauge('portolan_answer_table_limbo_bytes', 'Memory that waits until no thread reads it any more.')
    const entries = gauge('portolan_answer_table_entries', 'Names and kept answers in the answer table.')
    return metrics.gathers(() => {
      const usage = this.table.usage()
      bytes.set(usage.arenaBytes)
      used.set(usage.usedBytes)
      limbo.set(usage.limboBytes)
      entries.set(usage.entries)
    })
  }
}

function transportOf(peer: Peer): Transport {
  const six = hasIPv6(peer)
  if (peer.protocol === 'tcp') return six ? Transport.TCP6 : Transport.TCP4
  return six ? Transport.UDP6 : Transport.UDP4
}
