/**
 * `npm run stress:churn -- --minutes 30`: a real control plane whose objects change 20 times a second. Ends with the line `N passed, N
 * failed`; `--seed` repeats a run, as far as the API server does.
 */
import { parseArgs } from 'node:util'
import { checkChurn } from '../e2e/churn/index.ts'
import { Cluster } from '../e2e/cluster.ts'
import { obstacle } from '../e2e/pod.ts'
import { runSuite } from '../e2e/suite.ts'

const { values: flags } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
})

await runSuite({
  peers: ['etcd', 'apiserver', 'controllerManager'],
  obstacle,
  async run(peers, tally, say) {
    await using cluster = await Cluster.start(peers)
    await checkChurn(cluster, tally, { minutes: Number(flags.minutes), seed: Number(flags.seed), say })
  },
})
