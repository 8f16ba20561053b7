/** `GET /explain`: reads the question, and answers with the facts of the explanation. */
import { namesOf } from '../../client/explain/names.ts'
import { explanation, whatIsSaid } from '../../client/explain/question.ts'
import { PortolanError } from '../../errors.ts'
import type { HttpHandler } from '../../net/http-hub.ts'
import { type Defaults, Parameters, refuse, refuseForNow, refusesMethod, sendJson } from '../../net/http-json.ts'
import type { Random } from '../../observe/clock.ts'
import type { ServerControl } from '../../plugin/plugin.ts'
import type { ExplainedCluster } from './explained-cluster.ts'

/** `name` is what the command takes as a word. */
const known = ['name', ...whatIsSaid]

export interface Explaining {
  readonly cluster: ExplainedCluster
  /** The zones of the cluster without their last dot. */
  readonly zones: readonly string[]
  readonly ask: ServerControl['ask']
  readonly random: Random
  readonly defaults: Defaults
}

export function handler({ cluster, zones, ask, random, defaults }: Explaining): HttpHandler {
  const names = namesOf(zones, true, ask)
  return async (request, response) => {
    if (refusesMethod(request, response)) return
    const { view } = cluster
    if (!view.synced)
      return refuseForNow(
        response,
        'PORTOLAN_EXPLAIN_LATER',
        'the cluster is not yet known in full: ask again in a second',
      )
    try {
      const said = new Parameters(request, known, defaults)
      const question = explanation(said.text('name'), said)
      sendJson(response, 200, await question.answer({ view, names, lacking: cluster.lacking(), random }))
    } catch (error) {
      if (!(error instanceof PortolanError)) throw error
      refuse(response, error.code === 'PORTOLAN_USAGE' ? 400 : 404, error.code, error.message)
    }
  }
}
