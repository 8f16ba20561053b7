/** A proxy on the loopback address, with endpoints that a test starts and stops there. */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Test } from 'tap'
import { type Clock, systemClock } from '../../../src/observe/clock.ts'
import { logger } from '../../../src/observe/logger.ts'
import { type ProxyOptions, UserspaceProxy } from '../../../src/routes/proxy/proxy.ts'
import { settingOf } from '../../../src/routes/setting.ts'
import { RouteTable } from '../../../src/routes/table.ts'
import { cluster, type EndpointSpec, type ServiceSpec, service, slice } from '../../helpers/cluster.ts'

/** The test's services, the proxy and endpoints are all at this port: below those that the kernel gives to connections. */
export const port = 17_080

/** A network of loopback addresses for each process, so that tests may run beside each other. */
const network = `127.${64 + ((process.pid >> 8) & 63)}.${process.pid & 255}`

/** Endpoints have addresses of their own, so all can be at one port. */
export const ipOf = (number: number): string => `${network}.${number}`

/** Where proxies listen. */
export const host = ipOf(254)

export interface Lab {
  readonly proxy: UserspaceProxy
  readonly log: string[]
  /** Says what the service's endpoints are from now on; resolves when the proxy has heard. */
  endpoints(...numbers: readonly (number | EndpointSpec)[]): Promise<void>
  /** Changes the service. */
  service(spec: ServiceSpec): Promise<void>
}

const usual = { ip: '10.96.0.1', ports: [`${port}`] }

/** Runs a proxy for the service `a/web` until the test is over. */
export async function lab(
  t: Test,
  spec: ServiceSpec = {},
  options: Partial<ProxyOptions> & { readonly node?: string; readonly clock?: Clock } = {},
): Promise<Lab> {
  const log: string[] = []
  const state = cluster(service('a/web', { ...usual, ...spec }))
  const table = new RouteTable()
  state.follow(table)
  const ports = (spec.ports ?? usual.ports).map(text => text.replace(/@\d+/, ''))
  const setting = settingOf({
    family: 'IPv4',
    node: { name: options.node ?? '', zone: '', internalIPs: [] },
    clusterCIDRs: [],
  })
  const proxy = new UserspaceProxy({
    routes: table,
    families: ['IPv4'],
    settingOf: () => setting,
    listen: host,
    scheduler: 'rr',
    idleMs: 30_000,
    clock: systemClock,
    random: Math.random,
    log: logger({ format: 'text', debug: true, write: line => log.push(line.trimEnd()) }),
    ...options,
  })
  await proxy.start()
  t.teardown(() => proxy.close(0))
  return {
    proxy,
    log,
    async endpoints(...numbers) {
      const specs = numbers.map(number => (typeof number === 'number' ? ipOf(number) : number))
      state.upsert(slice('a/web', specs, { ports }))
      await proxy.sync()
    },
    async service(changed) {
      state.upsert(service('a/web', { ...usual, ...spec, ...changed }))
      await proxy.sync()
    },
  }
}

export interface Endpoint {
  readonly connections: Set<Socket>
  /** Listens no more; what it has goes on. */
  stop(): Promise<void>
}

/** An endpoint of TCP; by default it says its number, then what it is told, to the end. */
export async function endpoint(
  t: Test,
  number: number,
  serve: (socket: Socket) => void = socket => {
    socket.write(`${number}:`)
    socket.pipe(socket)
  },
): Promise<Endpoint> {
  const connections = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, socket => {
    connections.add(socket)
    // What becomes of it is seen at the client's end.
    socket.on('error', () => undefined).on('close', () => connections.delete(socket))
    serve(socket)
  })
  await listening(server, ipOf(number))
  const stop = async () => void server.close()
  t.teardown(async () => {
    await stop()
    for (const socket of connections) socket.destroy()
  })
  return { connections, stop }
}

export async function listening(server: Server, at: string): Promise<void> {
  server.listen({ host: at, port })
  await once(server, 'listening')
}

/** Says a text to the proxy and ends; gives what comes back to the end, or the code of the error. */
export function ask(port: number, text: string, at = host): Promise<string> {
  return new Promise(resolve => {
    const socket = connect({ host: at, port, allowHalfOpen: true })
    let heard = ''
    socket.setEncoding('utf8').on('data', chunk => (heard += chunk))
    socket.on('error', error => resolve('code' in error ? String(error.code) : error.message))
    socket.on('close', () => resolve(heard))
    socket.end(text)
  })
}

/** An endpoint of UDP, which answers with its number and what it was told. */
export async function udpEndpoint(t: Test, number: number): Promise<{ stop(): void; readonly socket: UdpSocket }> {
  const socket = createSocket('udp4')
  socket.on('message', (packet, from) => socket.send(`${number}:${packet}`, from.port, from.address))
  socket.bind({ address: ipOf(number), port, exclusive: true })
  await once(socket, 'listening')
  let open = true
  const stop = () => {
    if (open) socket.close()
    open = false
  }
  t.teardown(stop)
  return { stop, socket }
}

/** A client of UDP with one socket. */
export async function udpClient(t: Test, port: number): Promise<(text: string) => Promise<string>> {
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  socket.connect(port, host)
  await once(socket, 'connect')
  return async text => {
    const answer = once(socket, 'message', { signal: AbortSignal.timeout(5000) })
    socket.send(text)
    const [packet] = (await answer) as [Buffer, RemoteInfo]
    return `${packet}`
  }
}
