/**
 * `npm run test:e2e`: portolan as its Deployment runs it, against a real etcd, kube-apiserver and kube-controller-manager.
 * Ends with the line `N passed, N failed`.
 */
import { messageOf } from '../../src/errors.ts'
import { Cluster } from './cluster.ts'
import { checkDeployed } from './deployed.ts'
import { findPeers } from './peers.ts'
import { obstacle } from './pod.ts'
import { Tally } from './tally.ts'

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
process.exit(await main())

async function main(): Promise<number> {
  const peers = (await obstacle()) ?? (await findPeers(['etcd', 'apiserver', 'controllerManager'], say))
  if (typeof peers === 'string') {
    say(`skipped: ${peers}`)
    say('0 passed, 0 failed, 1 skipped')
    return 0
  }
  const tally = new Tally(say)
  await using cluster = await Cluster.start(peers)
  await checkDeployed(cluster, tally).catch(error => tally.check('the deployment', messageOf(error)))
  say(`${tally.passed} passed, ${tally.failed} failed`)
  return tally.failed === 0 ? 0 : 1
}
