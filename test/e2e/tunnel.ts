/** Passes TCP connections on to another port of 127.0.0.1 without a look at what they carry, and can cut them all. */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

export class Tunnel implements AsyncDisposable {
  readonly port: number
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(port: number, target: number) {
    this.port = port
    this.#server = createServer(near => {
      const far = connect(target, '127.0.0.1')
      const pairs = [
        [near, far],
        [far, near],
      ] as const
      for (const [one, other] of pairs) {
        this.#sockets.add(one)
        one.pipe(other)
        one.on('error', () => other.destroy())
        one.once('close', () => {
          this.#sockets.delete(one)
          other.destroy()
        })
      }
    })
  }

  /** Resolves when it listens on `port`. */
  static async start(port: number, target: number): Promise<Tunnel> {
    const tunnel = new Tunnel(port, target)
    tunnel.#server.listen(port, '127.0.0.1')
    await once(tunnel.#server, 'listening')
    return tunnel
  }

  /** Breaks every connection; new ones are taken. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.cut()
    await closed
  }
}
