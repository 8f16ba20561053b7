/** All failures, one after another, on one cluster. */
import { messageOf } from '../../../src/errors.ts'
import type { Cluster } from '../cluster.ts'
import { untilAccounts } from '../control-plane.ts'
import type { Tally } from '../tally.ts'
import { credentialScenarios } from './credential-scenarios.ts'
import { failureTable } from './report.ts'
import { networkScenarios } from './scenarios.ts'
import { castOf, space } from './subjects.ts'
import { type Outcome, runScenario } from './trial.ts'

const accountsMs = 30_000

export interface FailureOptions {
  /** In seconds. */
  readonly selfCheck: number
  /** How many services are replaced while the server is away. */
  readonly many: number
  /** Whether each bound is waited for even when all is right before it. */
  readonly patient: boolean
  /** Part of the names of the scenarios that are wanted. */
  readonly only: string
  say(line: string): void
}

export async function checkFailures(cluster: Cluster, tally: Tally, options: FailureOptions): Promise<void> {
  const { client } = cluster.plane
  const cast = castOf(client)
  const [first, ...objects] = cast.objects
  await client.create(first!)
  await untilAccounts(client, space, accountsMs)
  for (const object of objects) await client.create(object)
  const outcomes: Outcome[] = []
  // The last one leaves many services behind.
  const scenarios = [...credentialScenarios, ...networkScenarios].filter(({ name }) => name.includes(options.only))
  if (scenarios.length === 0) tally.check('failures', `none has "${options.only}" in its name`)
  for (const scenario of scenarios) {
    try {
      const outcome = await runScenario(scenario, { ...options, cluster, cast })
      outcomes.push(outcome)
      tally.check(scenario.name, outcome.problems.length > 0 ? outcome.problems.join('\n       ') : undefined)
    } catch (error) {
      tally.check(scenario.name, messageOf(error))
    }
  }
  options.say(failureTable(outcomes))
}
