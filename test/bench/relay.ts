/**
 * The relay as a process of its own, so that it takes no time from who measures. Arguments: its port on 127.0.0.1, the one where it
 * is told what to do, that of the API server, a token, and the file of what the API server's certificate is checked against. `POST
 * /expire` makes all who watch list the cluster again; `GET /lists` tells how many lists of EndpointSlices were begun since then.
 */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { Relay } from '../e2e/relay.ts'

const [port, control, target, token, authority] = process.argv.slice(2)
const relay = await Relay.start({
  port: Number(port),
  target: Number(target),
  token: token!,
  ca: readFileSync(authority!, 'utf8'),
})

createServer((incoming, outgoing) => {
  if (incoming.url === '/expire') relay.expire()
  outgoing.end(String(relay.lists))
}).listen(Number(control), '127.0.0.1')
