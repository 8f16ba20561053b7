/** The two servers under comparison: started with one Corefile each, ready when they answer from the whole cluster. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Asker } from '../asker.ts'
import { freePort, startBackground } from '../background.ts'
import { decode, flagBits, queryBytes, types } from '../message.ts'
import { sources } from '../program.ts'
import { startUpstream, type Upstream } from './upstream.ts'
import type { Access, Probe, Variant } from './variants.ts'

export const programs = ['coredns', 'portolan'] as const
export type Program = (typeof programs)[number]

const readyMs = 20_000
// A Corefile may ask for a long lameduck; nobody waits for it here.
const graceMs = 300

export interface Server extends AsyncDisposable {
  readonly port: number
  readonly asker: Asker
}

/** What all servers of a run share. */
export interface Site {
  /** Path of the program. */
  readonly coredns: string
  readonly access: Access
  readonly folder: string
}

/** Starts one server for a variant, with an upstream of its own. `label` tells it from the other in file names. */
export async function startServer(program: Program, label: string, variant: Variant, site: Site): Promise<Server> {
  await using stack = new AsyncDisposableStack()
  const upstream: Upstream = stack.use(await startUpstream())
  const port = await freePort()
  const corefile = join(site.folder, `${variant.name}-${label}.Corefile`)
  const hosts = join(site.folder, 'hosts')
  await writeFile(hosts, hostsFile)
  await writeFile(
    corefile,
    variant.corefile({
      port,
      ...site.access,
      upstream: `127.0.0.1:${upstream.port}`,
      hosts,
      free: [await freePort(), await freePort(), await freePort()],
    }),
  )
  const [command, args] = program === 'coredns' ? [site.coredns, []] : [process.execPath, [sources]]
  const background = stack.use(
    startBackground(
      command,
      [...args, '-conf', corefile, '-dns.port', String(port)],
      join(site.folder, `${variant.name}-${label}.log`),
      { graceMs },
    ),
  )
  const asker = stack.use(await Asker.open(port))
  await background.until(async () => {
    for (const probe of variant.probes) if (!(await answers(asker, probe))) return false
    return true
  }, readyMs)
  const running = stack.move()
  return { port, asker, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

/** Names that the `hosts` plugin reads from a file. */
const hostsFile = `# comment
192.0.2.200 File.hosts.test file-alias.hosts.test
192.0.2.201 file.hosts.test
2001:db8::200 file.hosts.test
fe80::1%lo0 zone.hosts.test
not-an-address broken.hosts.test
192.0.2.202 www.up.test
`

async function answers(asker: Asker, [name, type, count]: Probe): Promise<boolean> {
  // With CD, as nobody asks these names later: the reply that a cache keeps of it is not seen again.
  const query = queryBytes(name, types[type], { flags: flagBits.RD | flagBits.CD })
  const reply = await asker.ask(query, { transport: 'tcp', waitMs: 1000 })
  const message = typeof reply === 'string' ? reply : decode(reply)
  return typeof message !== 'string' && message.rcode === 0 && message.sections.answer.length >= count
}
