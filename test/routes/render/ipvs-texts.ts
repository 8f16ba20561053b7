/** Reads what `ipvsadm -S` and `ipset save` write, and refuses everything else. */

export interface SavedServer {
  readonly scheduler: string
  /** Seconds of affinity; 0 for none. */
  readonly persistent: number
  readonly backends: string[]
}

/** By `TCP 10.96.0.1:80`. */
export function savedServers(text: string): Map<string, SavedServer> {
  const found = new Map<string, SavedServer>()
  for (const line of linesOf(text)) {
    const where = String.raw`(-t|-u|--sctp-service) ((?:[\d.]+|\[[\da-f:]+\]):\d+)`
    const service = new RegExp(`^-A ${where} -s (rr|wrr|lc|wlc|dh|sh|sed|nq)(?: -p (\\d+))?$`).exec(line)
    const real = new RegExp(`^-a ${where} -r ((?:[\\d.]+|\\[[\\da-f:]+\\]):\\d+) -m -w 1$`).exec(line)
    const [, option = '', address = ''] = service ?? real ?? []
    const key = `${{ '-t': 'TCP', '-u': 'UDP', '--sctp-service': 'SCTP' }[option]} ${address}`
    if (service !== null && !found.has(key)) {
      found.set(key, { scheduler: service[3]!, persistent: Number(service[4] ?? 0), backends: [] })
      continue
    }
    const server = found.get(key)
    if (real === null || server === undefined || server.backends.includes(real[3]!))
      throw new Error(`ipvsadm would refuse: ${line}`)
    server.backends.push(real[3]!)
  }
  return found
}

export interface SavedSet {
  readonly type: string
  readonly family: string | undefined
  readonly entries: string[]
}

const ip = String.raw`(?:[\d.]+|[\da-f:]+)`
const ipPort = String.raw`${ip},(?:tcp|udp|sctp):\d+`

/** What an entry of each type looks like. */
const entries: Readonly<Record<string, RegExp>> = {
  'hash:ip': new RegExp(`^${ip}$`),
  'hash:ip,port': new RegExp(`^${ipPort}$`),
  'hash:ip,port,ip': new RegExp(`^${ipPort},${ip}$`),
  'hash:ip,port,net': new RegExp(`^${ipPort},${ip}/\\d+$`),
  'bitmap:port': /^\d+$/,
}

export function savedSets(text: string): Map<string, SavedSet> {
  const found = new Map<string, SavedSet>()
  for (const line of linesOf(text)) {
    const [command, name = '', ...rest] = line.split(' ')
    const [, type = '', family] =
      /^(\S+) (?:family (inet6?) hashsize 1024 maxelem 65536|range 0-65535) -exist$/.exec(rest.join(' ')) ?? []
    const set = found.get(name)
    if (command === 'create' && set === undefined && type in entries && name.length <= 31)
      found.set(name, { type, family, entries: [] })
    else if (command === 'add' && rest.length === 1 && set !== undefined && entries[set.type]!.test(rest[0]!)) {
      if (set.entries.includes(rest[0]!)) throw new Error(`ipset would refuse what is there: ${line}`)
      set.entries.push(rest[0]!)
    } else if (command !== 'flush' || rest.length > 0 || set === undefined)
      throw new Error(`ipset would refuse: ${line}`)
  }
  return found
}

function linesOf(text: string): string[] {
  return text.split('\n').filter(line => line !== '')
}
