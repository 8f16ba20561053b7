/** The smallest HTTP client: asks a listener of ours how it is. */
import { get } from 'node:http'

/** Resolves to the status of `GET path`, its body read and thrown away; rejects where nobody answers in time. */
export function httpStatus(host: string, port: number, path: string, timeoutMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const request = get({ host, port, path, agent: false, signal }, response => {
      response.on('error', reject)
      response.on('end', () => resolve(response.statusCode ?? 0))
      response.resume()
    })
    request.on('error', error => reject(signal.aborted ? new Error(`no reply in ${timeoutMs} ms`) : error))
  })
}
