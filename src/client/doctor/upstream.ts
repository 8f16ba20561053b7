/** Check of what DNS pods forward to: a name that another server knows. */
import { type Check, type Finding, fault, isMissing, some, warning } from './check.ts'
import { addressIn, forwardedTo } from './corefile-facts.ts'
import type { Heard, Network } from './world.ts'

export const upstreamCheck: Check = {
  name: 'upstream',
  async examine(world) {
    const { network, outsideName, corefile } = world
    if (isMissing(network)) return network
    if (isMissing(outsideName)) return outsideName
    const endpoints = world.dns.endpoints.filter(({ ready, ports }) => ready && ports.UDP !== undefined)
    if (endpoints.length === 0) return { missing: 'there is no ready endpoint to ask' }
    const upstreams = isMissing(corefile) ? [] : forwardedTo(corefile)
    const asked = endpoints.map(async ({ ip, who, ports }) => ({
      who,
      heard: await network.ask(ip, ports.UDP!, 'udp', outsideName),
    }))
    const bad = (await Promise.all(asked)).filter(({ heard }) => heard.rcode !== 'NOERROR')
    const findings = await Promise.all(
      bad.slice(0, 1).map(({ heard }) => upstreamFinding(network, outsideName, upstreams, bad, heard)),
    )
    const by = upstreams.length > 0 ? `, forwarded to ${some(upstreams, 3)}` : ''
    return {
      summary: `${outsideName} is answered by ${endpoints.length === 1 ? endpoints[0]!.who : 'each of them'}${by}`,
      findings,
    }
  },
}

async function upstreamFinding(
  network: Network,
  name: string,
  upstreams: readonly string[],
  bad: readonly { readonly who: string }[],
  heard: Heard,
): Promise<Finding> {
  const who = some(bad.map(reply => reply.who))
  const said = heard.rcode ?? heard.silence
  const seen = `${who} cannot tell ${name}: ${said}`
  if (heard.rcode === 'NXDOMAIN')
    return warning(seen, 'the server that they forward to does not know it; -outside-name gives another one')
  const silent = await silentOf(network, name, upstreams)
  const evidence = silent.length > 0 ? `; ${some(silent)}` : ''
  const [first = 'UPSTREAM'] = upstreams
  const means =
    upstreams.length === 0 ? 'nothing is forwarded, or nobody knows where to' : `${some(upstreams, 3)} must answer them`
  return fault(`${seen}${evidence}`, `no name outside of the cluster is answered: ${means}`, [
    `portolan query ${name} @${first}`,
    'kubectl -n kube-system get configmap coredns -o yaml',
  ])
}

/** Upstreams that are addresses are asked themselves. */
async function silentOf(network: Network, name: string, upstreams: readonly string[]): Promise<string[]> {
  const asked = upstreams.map(async text => {
    const at = addressIn(text)
    if (at === undefined) return []
    const heard = await network.ask(at.ip, at.port, 'udp', name)
    return heard.rcode === undefined ? [`${text} itself: ${heard.silence}`] : []
  })
  return (await Promise.all(asked)).flat()
}
