/**
 * A machine of the packet tests, in a network namespace of its own: a pod, or somebody outside. It answers on every port that it is told
 * to, and connects to where it is told. Started by `lab.ts`, which it hears from as a child process does.
 */
import { spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { connect, type Target } from './connect.ts'

export type Order =
  | { readonly do: 'run'; readonly commands: readonly (readonly string[])[] }
  | { readonly do: 'serve'; readonly name: string; readonly ports: readonly number[] }
  | { readonly do: 'connect'; readonly target: Target; readonly times: number }

process.on('message', async (order: Order) =>
  process.send!(await obey(order).catch((error: Error) => ({ error: error.message }))),
)
process.once('disconnect', () => process.exit(0))

async function obey(order: Order): Promise<unknown> {
  if (order.do === 'connect') return { answers: await connect(order.target, order.times) }
  if (order.do === 'serve') for (const port of order.ports) await serve(order.name, port)
  else for (const [command, ...args] of order.commands) runHere(command!, args)
  return {}
}

function runHere(command: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`)
}

async function serve(name: string, port: number): Promise<void> {
  const plain = (address = '') => address.replace(/^::ffff:/, '')
  const server = createServer(socket => {
    socket.on('error', () => socket.destroy())
    socket.end(`${name} ${plain(socket.remoteAddress)}`)
  })
  server.listen(port, '::')
  const udp = createSocket({ type: 'udp6' })
  udp.on('message', (_, { address, port }) => udp.send(`${name} ${plain(address)}`, port, address))
  udp.bind(port, '::')
  await Promise.all([once(server, 'listening'), once(udp, 'listening')])
}
