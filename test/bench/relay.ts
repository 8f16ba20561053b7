/**
 * Stands between a server and the API server, passes everything on, and can make the server list the whole cluster again while the
 * API server runs on: it cuts every watch, and tells who wants to resume that the past is gone (410), as an API server does that has
 * forgotten. A process of its own. Arguments: the port on 127.0.0.1, that of the API server, its token, and the file of its
 * certificate. `POST /relay/expire` begins; `GET /relay/lists` tells how many
 * lists of EndpointSlices were begun since then.
 */
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Agent, request } from 'node:https'

const [port, target, token, certificate] = process.argv.slice(2)
const agent = new Agent({ keepAlive: true, ca: readFileSync(certificate!) })
const gone = JSON.stringify({
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  reason: 'Expired',
  code: 410,
  message: 'too old resource version',
})
const watches = new Map<ServerResponse, string>()
/** Collections whose watches have to begin anew. */
const expired = new Set<string>()
let lists = 0

createServer((incoming, outgoing) => {
  const { pathname, searchParams } = new URL(incoming.url!, 'http://relay')
  if (pathname === '/relay/expire') expire(outgoing)
  else if (pathname === '/relay/lists') outgoing.end(String(lists))
  else {
    const watch = searchParams.get('watch')
    const isWatch = watch === 'true' || watch === '1'
    const isList = !isWatch || searchParams.get('sendInitialEvents') === 'true'
    if (isList) expired.delete(pathname)
    else if (expired.has(pathname)) {
      outgoing.writeHead(410, { 'content-type': 'application/json' }).end(gone)
      return
    }
    if (isWatch) watches.set(outgoing, pathname)
    outgoing.once('close', () => {
      watches.delete(outgoing)
    })
    // Of a list in pages the first.
    if (isList && pathname.endsWith('/endpointslices') && !searchParams.has('continue')) lists++
    passOn(incoming, outgoing)
  }
}).listen(Number(port), '127.0.0.1')

function expire(outgoing: ServerResponse): void {
  lists = 0
  for (const [watch, pathname] of watches) {
    expired.add(pathname)
    watch.destroy()
  }
  outgoing.end(String(watches.size))
}

function passOn(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { host, authorization, connection, ...headers } = incoming.headers
  const passed = request(
    {
      host: '127.0.0.1',
      port: target,
      agent,
      method: incoming.method,
      path: incoming.url,
      headers: { ...headers, authorization: `Bearer ${token}` },
    },
    reply => {
      outgoing.writeHead(reply.statusCode!, reply.headers)
      outgoing.flushHeaders()
      reply.pipe(outgoing)
      // What it has sent is cut off with it.
      reply.once('error', () => outgoing.destroy())
    },
  )
  passed.once('error', () => outgoing.destroy())
  outgoing.once('close', () => passed.destroy())
  incoming.pipe(passed)
}
