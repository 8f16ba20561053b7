/** `loadbalance`: chooses the order in which clients see the records of an answer. One file for each way of choosing. */
import { messageOf, PortolanError } from '../../errors.ts'
import { then } from '../../plugin/chain.ts'
import type { Footprint } from '../../plugin/footprint.ts'
import type { Next, Plugin, PluginDefinition, Reply, SetupContext } from '../../plugin/plugin.ts'
import { PolledFile } from '../../plugin/polled-file.ts'
import { type Answer, recordCount } from '../../wire/answer.ts'
import type { Query } from '../../wire/query.ts'
import { Rcode, Type } from '../../wire/types.ts'
import { type LoadbalanceOptions, readLoadbalanceOptions } from './options.ts'
import { prefer } from './preference.ts'
import { roundRobin } from './round-robin.ts'
import { drawFirst, parseWeights, type Weights } from './weights.ts'

export const definition: PluginDefinition = {
  name: 'loadbalance',
  setup: (directive, context) => new Loadbalance(readLoadbalanceOptions(directive, context.directory), context),
}

class Loadbalance implements Plugin {
  readonly name = 'loadbalance'
  readonly footprint: Footprint
  readonly #options: LoadbalanceOptions
  readonly #context: SetupContext
  readonly #file: PolledFile | undefined
  #weights: Weights = new Map()

  constructor(options: LoadbalanceOptions, context: SetupContext) {
    this.#options = options
    this.#context = context
    const { weightFile, networks } = options
    const plain = weightFile === undefined && networks.length === 0
    this.footprint = { declare: cut => (plain ? cut.rotate() : cut.intercept()) }
    if (weightFile === undefined) return
    this.#file = new PolledFile(weightFile, text => {
      this.#weights = parseWeights(text, weightFile)
      context.log.info(`weights read from ${weightFile}`)
    })
  }

  /** A weight file that cannot be read yet is waited for, unless it is never looked at again; one with mistakes stops the start. */
  async start(): Promise<void> {
    const file = this.#file
    if (file === undefined) return
    const { clock, log } = this.#context
    const { reloadMs } = this.#options
    try {
      await file.look()
    } catch (error) {
      if (error instanceof PortolanError) throw error
      const message = `weight file cannot be read: ${messageOf(error)}`
      if (reloadMs === 0) throw new PortolanError('PORTOLAN_LOADBALANCE_WEIGHTS', message, { cause: error })
      log.warning(`${message}; looked for again every ${reloadMs / 1000}s`)
    }
    file.poll(clock, reloadMs, message => log.error(`weights stay as they were: ${message}`))
  }

  async stop(): Promise<void> {
    this.#file?.stop()
  }

  handle(query: Query, next: Next): Reply | Promise<Reply> {
    return then(next(query), query, this.#arrange)
  }

  readonly #arrange = (query: Query, reply: Reply): Reply => {
    const answer = this.#arranged(query, reply.answer)
    return answer === reply.answer ? reply : { ...reply, answer }
  }

  #arranged(query: Query, answer: Answer): Answer {
    if (answer.rcode !== Rcode.NOERROR || recordCount(answer) < 2) return answer
    if (query.type === Type.AXFR || query.type === Type.IXFR) return answer
    const { networks } = this.#options
    const chosen = this.#chosen(query, answer)
    return networks.length === 0 ? chosen : prefer(chosen, query.name, networks)
  }

  #chosen(query: Query, answer: Answer): Answer {
    const { random } = this.#context
    if (this.#file === undefined) return roundRobin(answer, query, random)
    const { type } = query
    const isWeighted = type === Type.A || type === Type.AAAA || type === Type.SRV
    return isWeighted ? drawFirst(answer, query.name, this.#weights, random) : answer
  }
}
