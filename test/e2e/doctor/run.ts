/**
 * `portolan doctor` on a live control plane: a cluster that works is found healthy, and each fault that is planted in it is named as the first
 * cause. As root, in a network namespace of its own.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Diagnosis } from '../../../src/client/doctor/diagnosis.ts'
import { systemClock } from '../../../src/observe/clock.ts'
import { run as portolan } from '../../helpers/shell.ts'
import { inNamespace, isInside, missing } from '../routes/namespace.ts'
import { nodes } from '../routes/plan.ts'
import { runSuite } from '../suite.ts'
import type { Tally } from '../tally.ts'
import { type Fault, faults } from './faults.ts'
import { Lab } from './lab.ts'

/** How soon controllers, kube-proxy and servers must have what they were told. */
const patienceMs = 30_000

const obstacle = missing()
if (obstacle === undefined && !isInside()) process.exit(await inNamespace())

await runSuite({
  peers: ['coredns', 'etcd', 'apiserver', 'controllerManager', 'kubeProxy'],
  obstacle: async () => obstacle,
  async run(peers, tally) {
    await using lab = await Lab.start(peers)
    tally.check('a cluster that works is healthy', await untilHealthy(lab))
    for (const fault of faults) await tryFault(lab, fault, tally)
  },
})

async function tryFault(lab: Lab, fault: Fault, tally: Tally): Promise<void> {
  const { what, check, seen } = fault
  const started = performance.now()
  await fault.plant(lab)
  const wrong = await until(lab, fault.options?.(lab) ?? [], ({ cause }) => {
    const isIt = cause?.check === check && seen.test(cause.seen)
    return isIt ? undefined : `the first cause is ${cause === undefined ? 'none' : `${cause.check}: ${cause.seen}`}`
  })
  tally.check(`${what} (${((performance.now() - started) / 1000).toFixed(1)} s)`, wrong)
  await fault.mend(lab)
  const ill = await untilHealthy(lab)
  if (ill !== undefined) tally.check(`${what}: healthy once it is mended`, ill)
}

function untilHealthy(lab: Lab): Promise<string | undefined> {
  return until(lab, [], ({ healthy, cause }) => (healthy ? undefined : `${cause?.check}: ${cause?.seen}`))
}

/** Undefined once a diagnosis is as it shall be; what is wrong with the last one where none is. */
async function until(
  lab: Lab,
  options: readonly string[],
  judge: (diagnosis: Diagnosis) => string | undefined,
): Promise<string | undefined> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const { code, out, err } = await portolan(
      [
        ...['doctor', '-kubeconfig', lab.kubeconfig, '-node', nodes.own, '-from', 'front/client'],
        ...['-outside-name', 'outside.test', '-o', 'json', ...options, 'web.shop:80'],
      ],
      { clock: systemClock, random: Math.random },
    )
    const diagnosis = out === '' ? undefined : (JSON.parse(out) as Diagnosis)
    const wrong = diagnosis === undefined ? err : judge(diagnosis)
    const isCoherent = diagnosis === undefined || code === (diagnosis.healthy ? 0 : 1)
    if (wrong === undefined && isCoherent) return undefined
    if (performance.now() > deadline) return wrong ?? `exit code ${code}`
    await sleep(200)
  }
}
