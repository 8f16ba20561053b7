/** What a running server says of routes, beside what is said of the API server's own objects: word for word the same. */
import { setTimeout as sleep } from 'node:timers/promises'
import { httpHub } from '../../../src/net/http-hub.ts'
import { systemClock } from '../../../src/observe/clock.ts'
import { logger } from '../../../src/observe/logger.ts'
import { metrics } from '../../../src/observe/metrics.ts'
import { plugins } from '../../../src/plugins/index.ts'
import { Server } from '../../../src/server/server.ts'
import { run } from '../../helpers/shell.ts'
import { nodes, podRanges } from './plan.ts'

const address = '127.0.0.1:9154'
/** How soon the server must know what the API server has. */
const patienceMs = 20_000

/** Tells of each command whether both answers are the same: `wrong` is undefined where they are. */
export async function checkServed(
  kubeconfig: string,
  tell: (what: string, wrong: string | undefined) => void,
): Promise<void> {
  const http = httpHub()
  const lines: string[] = []
  const server = new Server({
    corefile: 'Corefile',
    text: `cluster.local {\n bind 127.0.0.1\n kubernetes {\n kubeconfig ${kubeconfig}\n }\n routes ${address}\n}\n`,
    env: {},
    port: 1053,
    plugins,
    clock: systemClock,
    random: Math.random,
    log: logger({ format: 'text', write: line => lines.push(line) }),
    metrics: metrics(),
    http,
    fail: reason => lines.push(String(reason)),
  })
  await server.start()
  try {
    const list = JSON.parse((await ask('list -o json', '-kubeconfig', kubeconfig)).out)
    const [first] = list.routes as readonly {
      readonly address: string
      readonly port: number
      readonly protocol: string
    }[]
    for (const words of [
      'list',
      `list -node ${nodes.own} -o yaml`,
      `lookup ${first!.address}:${first!.port}/${first!.protocol} -node ${nodes.own} -cluster-cidr ${podRanges.join()} -o json`,
      `render iptables -family 4 -node ${nodes.own}`,
      `render nftables -node ${nodes.own} -masquerade-all`,
    ]) {
      tell(`served: ${words.slice(0, 40)}`, await difference(words, kubeconfig))
    }
  } finally {
    await server.stop()
    await http.close()
  }
}

async function difference(words: string, kubeconfig: string): Promise<string | undefined> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const local = await ask(words, '-kubeconfig', kubeconfig)
    const served = await ask(words, '-server', address)
    if (local.code === 0 && JSON.stringify(local) === JSON.stringify(served)) return undefined
    if (performance.now() > deadline) return `${firstOther(local.out, served.out)} ${local.err}${served.err}`
    await sleep(200)
  }
}

/** The first line that is not the same. */
function firstOther(one: string, other: string): string {
  const others = other.split('\n')
  const at = one.split('\n').findIndex((line, i) => line !== others[i])
  return at < 0 ? '' : `line ${at + 1} is "${others[at]}" and not "${one.split('\n')[at]}"`
}

function ask(words: string, ...where: string[]) {
  return run(['routes', ...words.split(' '), ...where], { clock: systemClock })
}
