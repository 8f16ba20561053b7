/**
 * `npm run test:e2e`: portolan as its Deployment runs it, against a real etcd, kube-apiserver and kube-controller-manager: what is
 * deployed, and what failures do to the answers. Ends with the line `N passed, N failed`; `--help` tells the options.
 */
import { parseArgs } from 'node:util'
import { messageOf } from '../../src/errors.ts'
import { Cluster } from './cluster.ts'
import { checkDeployed } from './deployed.ts'
import { checkFailures } from './failures/index.ts'
import { findPeers } from './peers.ts'
import { obstacle } from './pod.ts'
import { Tally } from './tally.ts'

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

const say = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.once(signal, () => process.exit(code))
}
// What a test that failed left open must not keep it from ending.
process.exit(flags.help ? help() : await main())

function help(): number {
  say(usage)
  return 0
}

async function main(): Promise<number> {
  const peers = (await obstacle()) ?? (await findPeers(['etcd', 'apiserver', 'controllerManager'], say))
  if (typeof peers === 'string') {
    say(`skipped: ${peers}`)
    say('0 passed, 0 failed, 1 skipped')
    return 0
  }
  const tally = new Tally(say)
  await using cluster = await Cluster.start(peers)
  if (flags.failure === undefined)
    await checkDeployed(cluster, tally).catch(error => tally.check('the deployment', messageOf(error)))
  const length = flags.full ? 'full' : 'short'
  await checkFailures(cluster, tally, {
    selfCheck: selfChecks[length],
    many: manyServices[length],
    patient: flags.full,
    only: flags.failure ?? '',
    say,
  })
  say(`${tally.passed} passed, ${tally.failed} failed`)
  return tally.failed === 0 ? 0 : 1
}
