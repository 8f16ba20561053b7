/** Builds the table of a cluster and renders it; prints figures as JSON. Started by `table.ts` with a kubeconfig and `--expose-gc`. */
import { ClusterState } from '../../../src/cluster/state.ts'
import { systemClock } from '../../../src/observe/clock.ts'
import { logger } from '../../../src/observe/logger.ts'
import { metrics } from '../../../src/observe/metrics.ts'
import { renderIptables } from '../../../src/routes/render/iptables.ts'
import { renderNftables } from '../../../src/routes/render/nftables.ts'
import { RouteTable } from '../../../src/routes/table.ts'
import { apiserverSource } from '../../../src/sources/apiserver/index.ts'
import { nodeIPs } from '../../e2e/routes/plan.ts'
import { median } from '../statistics.ts'
import { node } from './cluster.ts'
import type { TableFigures } from './table.ts'

const rounds = 5
const families = ['IPv4', 'IPv6'] as const
const megabyte = 2 ** 20

const [kubeconfig] = process.argv.slice(2)
const kinds = ['Service', 'EndpointSlice', 'Node'] as const
const state = new ClusterState({ kinds })
const stop = new AbortController()
await apiserverSource({
  access: { from: 'kubeconfig', file: kubeconfig! },
  kinds,
  clock: systemClock,
  random: Math.random,
  log: logger({ format: 'text', write: line => process.stderr.write(line) }),
  metrics: metrics(),
  selfCheckMs: 0,
}).follow(state, stop.signal)

const table = new RouteTable()
const before = heap()
const builtMs = timed(() => state.follow(table))
const heapMb = heap() - before
const place = { name: node.name, zone: node.zone, internalIPs: nodeIPs }
const rendering = (render: typeof renderIptables | typeof renderNftables) => {
  const texts = () =>
    families.map(family => render(table, { family, node: place, clusterCIDRs: node.podRanges }).length)
  const size = texts().reduce((sum, length) => sum + length, 0) / megabyte
  return { ms: median(Array.from({ length: rounds }, () => timed(texts))), size }
}
const [iptables, nftables] = [rendering(renderIptables), rendering(renderNftables)]
const figures: TableFigures = {
  routes: [...table.all()].length,
  endpoints: [...table.destinations()].reduce((sum, { backends }) => sum + backends.length, 0),
  builtMs,
  heapMb,
  iptablesMs: iptables.ms,
  nftablesMs: nftables.ms,
  iptablesMb: iptables.size,
  nftablesMb: nftables.size,
}
process.stdout.write(JSON.stringify(figures))
process.exit(0)

/** MiB that are in use. */
function heap(): number {
  globalThis.gc!()
  return process.memoryUsage().heapUsed / megabyte
}

function timed(work: () => void): number {
  const start = performance.now()
  work()
  return performance.now() - start
}
