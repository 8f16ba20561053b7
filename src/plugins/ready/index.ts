/**
 * `ready`: tells over HTTP whether all plugins that can say so are ready: those of every server block that has `ready` on the
 * same address.
 */
import { type HostPort, hostPort } from '../../corefile/addresses.ts'
import { readOptions } from '../../corefile/options.ts'
import type { HttpClaim, HttpHandler } from '../../net/http-hub.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Fixture, PluginDefinition, ServerControl, SetupContext } from '../../plugin/plugin.ts'
import { type Member, type Monitoring, Readiness } from './readiness.ts'

export const definition: PluginDefinition = {
  name: 'ready',
  setup(directive, context) {
    const listen = directive.address(undefined, { name: 'address', default: { host: '', port: 8181 } })
    let continuously = false
    let staleMs = Number.POSITIVE_INFINITY
    readOptions(directive, {
      monitor(option) {
        continuously = option.oneOf(['until-ready', 'continuously']) === 'continuously'
      },
      stale(option) {
        staleMs = option.milliseconds({ name: 'stale', min: 1 })
      },
    })
    return ready(listen, { continuously, staleMs }, context)
  },
}

function ready(
  listen: HostPort,
  monitoring: Monitoring,
  { block, http, log, resources, server }: Pick<SetupContext, 'block' | 'http' | 'log' | 'resources' | 'server'>,
): Fixture {
  const address = hostPort(listen.host, listen.port)
  let readiness: Readiness | undefined
  let withdraw: (() => void) | undefined
  let claim: HttpClaim | undefined
  return {
    name: 'ready',
    async start() {
      readiness = resources.share(`ready ${address}`, () => new Readiness())
      withdraw = readiness.add(block, monitoring)
      claim = await http.claim(address, { '/ready': readyHandler(readiness, log, server) }, 'ready')
    },
    async drain() {
      if (readiness) readiness.ending = true
    },
    async stop() {
      withdraw?.()
      await claim?.release()
    },
  }
}

/** 200 and `OK`, or 503 and the names of the plugins that are not ready; with `?verbose` some lines for each that can tell. */
function readyHandler(readiness: Readiness, log: Logger, server: ServerControl): HttpHandler {
  return (request, response) => {
    const answer = (status: number, body: string) =>
      void response.writeHead(status, { 'content-type': 'text/plain' }).end(body)
    if (readiness.ending) return answer(503, 'Shutting down')
    const members = readiness.members()
    const unready = [...new Set(members.filter(member => !member.ready).map(({ name }) => name))].sort().join(',')
    if (unready !== '') log.info(`Plugins not ready: "${unready}"`)
    const verbose = new URLSearchParams(request.url?.split('?')[1]).has('verbose')
    readiness.listening ||= server.addresses().length > 0
    const { listening } = readiness
    const summary = unready || (listening ? 'OK' : 'Not listening yet')
    answer(unready === '' && listening ? 200 : 503, verbose ? members.map(textOf).join('') : summary)
  }
}

function textOf({ name, zones, ready, freshness }: Member): string {
  const lines = [
    `${name} (${zones}): ${ready ? 'ready' : 'not ready'}`,
    ...(freshness?.lines.map(line => `  ${line}`) ?? []),
  ]
  return lines.map(line => `${line}\n`).join('')
}
