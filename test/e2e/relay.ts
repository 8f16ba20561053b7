/**
 * Stands between a server and the API server, passes everything on, and does on demand what networks, proxies and API servers do on
 * bad days: cuts watches, refuses all, keeps silent, loses or delays an event, forgets history. Which fault comes when is left to
 * who uses it.
 */
import { once } from 'node:events'
import * as http from 'node:http'
import * as https from 'node:https'
import type { Socket } from 'node:net'

export interface RelayOptions {
  /** Port on 127.0.0.1 to listen on. */
  readonly port: number
  /** The API server's port on 127.0.0.1, and PEM of what its certificate is checked against. */
  readonly target: number
  readonly ca: string
  /** PEM of the relay's own certificate and key; without them it speaks plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** Sent to the API server in place of what clients send. */
  readonly token?: string
}

/** One event of a watch, as far as faults depend on it. */
export interface WatchEvent {
  /** Of the resource as in paths: `services`. */
  readonly plural: string
  readonly type: string
  readonly name: string
}

/**
 * What becomes of an event: it is passed on or lost, it comes `holdMs` late and all that follows behind it, or it alone comes
 * `lateMs` late.
 */
export type Fate = 'pass' | 'lose' | { readonly holdMs: number } | { readonly lateMs: number }

/** How a watch is cut: at once, or inside its next event, the connection broken there or the body ended as if it were complete. */
export type Cut = 'now' | 'break-inside' | 'end-inside'

interface Watch {
  readonly plural: string
  readonly pathname: string
  readonly outgoing: http.ServerResponse
  cut: Cut | undefined
  stalled: boolean
  /** What waits behind a held event. */
  held: string[] | undefined
}

const gone = JSON.stringify({
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  reason: 'Expired',
  code: 410,
  message: 'too old resource version',
})

export class Relay implements AsyncDisposable {
  /** Decides what becomes of each event of JSON watches. */
  fateOf: (event: WatchEvent) => Fate = () => 'pass'
  readonly #options: RelayOptions
  readonly #agent: https.Agent
  readonly #server: http.Server
  readonly #sockets = new Set<Socket>()
  readonly #watches = new Set<Watch>()
  /** Collections whose watches have to begin anew. */
  readonly #expired = new Set<string>()
  #away = false
  #lists = 0
  #gone = 0

  private constructor(options: RelayOptions) {
    this.#options = options
    this.#agent = new https.Agent({ keepAlive: true, ca: options.ca })
    const receive: http.RequestListener = (incoming, outgoing) => this.#receive(incoming, outgoing)
    this.#server = options.tls ? https.createServer(options.tls, receive) : http.createServer(receive)
    this.#server.on('connection', (socket: Socket) => {
      if (this.#away) socket.destroy()
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
  }

  /** Resolves when it listens. */
  static async start(options: RelayOptions): Promise<Relay> {
    const relay = new Relay(options)
    relay.#server.listen(options.port, '127.0.0.1')
    await once(relay.#server, 'listening')
    return relay
  }

  get port(): number {
    return this.#options.port
  }

  /** How many lists of EndpointSlices were begun since the last `expire`; of a list in pages the first counts. */
  get lists(): number {
    return this.#lists
  }

  /** How often the API server said that the past is gone (410). */
  get gone(): number {
    return this.#gone
  }

  /** How many watches are open. */
  get watches(): number {
    return this.#watches.size
  }

  /** How many watches wait for the event inside which they are to be cut. */
  get cutting(): number {
    return [...this.#watches].filter(({ cut }) => cut !== undefined).length
  }

  /** Cuts every watch that is open. */
  cut(how: Cut): void {
    for (const watch of this.#watches) {
      if (how === 'now') watch.outgoing.destroy()
      else watch.cut = how
    }
  }

  /** Nothing comes through any more on the watches that are open, which stay open. */
  stall(): void {
    for (const watch of this.#watches) watch.stalled = true
  }

  /** Breaks all connections and takes no new ones until `comeBack`. */
  goAway(): void {
    this.#away = true
    for (const socket of this.#sockets) socket.destroy()
  }

  comeBack(): void {
    this.#away = false
  }

  /** Cuts every watch, and tells who wants to resume that the past is gone, as an API server does that has forgotten. */
  expire(): void {
    this.#lists = 0
    for (const { pathname } of this.#watches) this.#expired.add(pathname)
    this.cut('now')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.goAway()
    this.#agent.destroy()
    const closed = once(this.#server, 'close')
    this.#server.close()
    await closed
  }

  #receive(incoming: http.IncomingMessage, outgoing: http.ServerResponse): void {
    const { pathname, searchParams } = new URL(incoming.url!, 'http://relay')
    const isWatch = ['true', '1'].includes(searchParams.get('watch') ?? '')
    const isList = !isWatch || searchParams.get('sendInitialEvents') === 'true'
    if (isList) this.#expired.delete(pathname)
    else if (this.#expired.has(pathname)) {
      outgoing.writeHead(410, { 'content-type': 'application/json' }).end(gone)
      return
    }
    if (isList && pathname.endsWith('/endpointslices') && !searchParams.has('continue')) this.#lists++
    this.#passOn(incoming, outgoing, reply => {
      if (isWatch && reply.statusCode === 200) this.#watch(pathname, reply, outgoing)
      else reply.pipe(outgoing)
    })
  }

  #passOn(
    incoming: http.IncomingMessage,
    outgoing: http.ServerResponse,
    answered: (reply: http.IncomingMessage) => void,
  ): void {
    const { host, connection, ...headers } = incoming.headers
    const { target, token } = this.#options
    if (token !== undefined) headers.authorization = `Bearer ${token}`
    const { method, url } = incoming
    const passed = https.request(
      { host: '127.0.0.1', port: target, agent: this.#agent, method, path: url, headers },
      reply => {
        if (reply.statusCode === 410) this.#gone++
        outgoing.writeHead(reply.statusCode!, reply.headers)
        outgoing.flushHeaders()
        answered(reply)
        // What it has sent is cut off with it.
        reply.once('error', () => outgoing.destroy())
      },
    )
    passed.once('error', () => outgoing.destroy())
    outgoing.once('close', () => passed.destroy())
    incoming.pipe(passed)
  }

  #watch(pathname: string, reply: http.IncomingMessage, outgoing: http.ServerResponse): void {
    const plural = pathname.slice(pathname.lastIndexOf('/') + 1)
    const watch: Watch = { plural, pathname, outgoing, cut: undefined, stalled: false, held: undefined }
    this.#watches.add(watch)
    outgoing.once('close', () => this.#watches.delete(watch))
    // Other encodings than JSON do not have one event a line.
    if (!reply.headers['content-type']?.startsWith('application/json')) {
      reply.pipe(outgoing)
      return
    }
    let rest = ''
    reply.setEncoding('utf8')
    reply.on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop()!
      for (const line of lines) this.#event(watch, `${line}\n`)
    })
    reply.once('end', () => {
      if (!watch.stalled) outgoing.end(rest)
    })
  }

  #event(watch: Watch, line: string): void {
    if (watch.stalled) return
    if (watch.held !== undefined) watch.held.push(line)
    else this.#decide(watch, line)
  }

  #decide(watch: Watch, line: string): void {
    const { type, object } = JSON.parse(line)
    if (type === 'ERROR' && object.code === 410) this.#gone++
    if (watch.cut !== undefined && type !== 'BOOKMARK') cutInside(watch.outgoing, line, watch.cut)
    else {
      const fate = this.fateOf({ plural: watch.plural, type, name: object.metadata?.name ?? '' })
      if (fate === 'pass') watch.outgoing.write(line)
      else if (fate !== 'lose') this.#delay(watch, line, fate)
    }
  }

  #delay(watch: Watch, line: string, fate: { holdMs: number } | { lateMs: number }): void {
    if ('lateMs' in fate) setTimeout(() => watch.outgoing.write(line), fate.lateMs)
    else {
      watch.held = []
      setTimeout(() => {
        const behind = watch.held!
        watch.held = undefined
        watch.outgoing.write(line)
        for (const each of behind) this.#event(watch, each)
      }, fate.holdMs)
    }
  }
}

function cutInside(outgoing: http.ServerResponse, line: string, how: Cut): void {
  const half = line.slice(0, line.length / 2)
  if (how === 'end-inside') outgoing.end(half)
  else outgoing.write(half, () => outgoing.destroy())
}
