/** Connections that say who answered them, and from which address they seemed to come. */
import { createSocket } from 'node:dgram'
import { connect as connectTcp } from 'node:net'

export interface Target {
  readonly host: string
  readonly port: number
  readonly protocol: 'TCP' | 'UDP'
  /** What a TCP client says first; nothing unless given. */
  readonly say?: string
  /** How long to wait for an answer, or a refusal. */
  readonly patienceMs?: number
}

/** `pod-1 10.244.1.9`: who answered, and whom it saw; else `ECONNREFUSED` or another code, or `timeout`. */
export type Answer = string

/** A refusal that comes while the client still sends its packet goes unnoticed; the next packet is sent a second later, then after three. */
const usualPatienceMs = 4000

/** One connection after the other, each from a port of its own. */
export async function connect(target: Target, times: number): Promise<Answer[]> {
  const answers: Answer[] = []
  for (let i = 0; i < times; i++) answers.push(await (target.protocol === 'TCP' ? overTcp(target) : overUdp(target)))
  return answers
}

function overTcp({ host, port, say = '', patienceMs = usualPatienceMs }: Target): Promise<Answer> {
  return new Promise(resolve => {
    let text = ''
    const socket = connectTcp({ host, port }, () => socket.write(say))
    const end = (answer: Answer) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(patienceMs, () => end('timeout'))
    socket.on('data', data => {
      text += data
    })
    socket.once('end', () => end(text))
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
  })
}

function overUdp({ host, port, patienceMs = usualPatienceMs }: Target): Promise<Answer> {
  return new Promise(resolve => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
    const timer = setTimeout(() => end('timeout'), patienceMs)
    const end = (answer: Answer) => {
      clearTimeout(timer)
      socket.close()
      resolve(answer)
    }
    socket.once('message', data => end(`${data}`))
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
    // Connected, so that it hears of refusals.
    socket.connect(port, host, () => socket.send('?'))
  })
}
