/**
 * `npm run test:e2e`: portolan as its Deployment runs it, against a real etcd, kube-apiserver and kube-controller-manager: what is
 * deployed, and what failures do to the answers. Ends with the line `N passed, N failed`; `--help` tells the options.
 */
import { parseArgs } from 'node:util'
import { checkChurn } from './churn/index.ts'
import { Cluster } from './cluster.ts'
import { checkDeployed } from './deployed.ts'
import { checkFailures } from './failures/index.ts'
import { obstacle } from './pod.ts'
import { runSuite } from './suite.ts'

const usage = `usage: npm run test:e2e -- [options]
  --full           the self-check's default period, 10,000 services, and each bound is waited for
  --failure TEXT   only failures with this in their name, and nothing else
`

const { values: flags } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    failure: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

/** In seconds, the default and what can be waited for. */
const selfChecks = { full: 60, short: 5 }
const manyServices = { full: 10_000, short: 1000 }

if (flags.help) {
  process.stdout.write(usage)
  process.exit()
}
await runSuite({
  peers: ['etcd', 'apiserver', 'controllerManager'],
  obstacle,
  async run(peers, tally, say) {
    await using cluster = await Cluster.start(peers)
    const all = flags.failure === undefined
    const length = flags.full ? 'full' : 'short'
    if (all) await checkDeployed(cluster, tally)
    await checkFailures(cluster, tally, {
      selfCheck: selfChecks[length],
      many: manyServices[length],
      patient: flags.full,
      only: flags.failure ?? '',
      say,
    })
    if (all) await checkChurn(cluster, tally, { minutes: 1, seed: Date.now() % 2 ** 31, say })
  },
})
