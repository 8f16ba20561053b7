/** The HTTP hub with real listeners on loopback, for plugins that serve something over it. */
import type { Test } from 'tap'
import { type HttpHub, httpHub } from '../../src/net/http-hub.ts'

export interface TestHub extends HttpHub {
  /** The port of the newest claim. */
  readonly port: number
  /** Asks the listener of the newest claim. */
  get(path: string): Promise<{ readonly status: number; readonly type: string | null; readonly body: string }>
}

/** Closed when the test ends. */
export function testHub(t: Test): TestHub {
  const hub = httpHub()
  let port = 0
  t.teardown(() => hub.close())
  return {
    async claim(address, routes, owner, tls) {
      const claim = await hub.claim(address, routes, owner, tls)
      port = claim.port
      return claim
    },
    close: () => hub.close(),
    get port() {
      return port
    },
    async get(path) {
      const response = await fetch(`http://127.0.0.1:${port}${path}`)
      return { status: response.status, type: response.headers.get('content-type'), body: await response.text() }
    },
  }
}

/** A hub that has no address to give; it notes which were asked for. */
export function refusingHub(asked: string[]): HttpHub {
  return {
    async claim(address) {
      asked.push(address)
      throw new Error('taken')
    },
    close: async () => undefined,
  }
}
