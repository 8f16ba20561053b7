/** Passes what two connections say on to each other until both are over. */
import type { Socket } from 'node:net'

/**
 * Each side reads no faster than the other takes; what one has said to its end the other hears to its end, while it may go on itself;
 * a reset is passed on as a reset. Resolves when both are closed, or to `unused` when the backend has reset its connection before
 * anything was said on it: then the client is as it was, but for being read from no more.
 */
export function relay(client: Socket, backend: Socket): Promise<'over' | 'unused'> {
  return new Promise(resolve => {
    let isReset = false
    const ends = [
      on(client, 'error', () => backend.resetAndDestroy()),
      on(client, 'close', () => {
        if (!client.readableEnded || !client.writableFinished) backend.resetAndDestroy()
        finish()
      }),
      on(backend, 'error', () => {
        isReset = true
      }),
      on(backend, 'close', () => {
        if (isReset && backend.bytesRead === 0 && backend.bytesWritten === 0 && !client.destroyed) {
          return settle('unused')
        }
        // What it has said to its end is still delivered.
        if (isReset && backend.readableEnded) client.destroySoon()
        else if (isReset) client.resetAndDestroy()
        finish()
      }),
    ]
    client.pipe(backend)
    backend.pipe(client)

    function finish(): void {
      if (client.closed && backend.closed) settle('over')
    }

    function settle(outcome: 'over' | 'unused'): void {
      // Without anybody to pipe to the client is paused.
      client.unpipe(backend)
      backend.unpipe(client)
      for (const end of ends) end()
      resolve(outcome)
    }
  })
}

/** Listens until the returned function is called. */
function on(socket: Socket, event: string, listener: () => void): () => void {
  socket.on(event, listener)
  return () => socket.off(event, listener)
}
