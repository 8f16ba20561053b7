/** The smallest HTTP client: asks a listener of ours how it is. */
import { get } from 'node:http'
import { get as getSecurely } from 'node:https'

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

export interface HttpReply {
  readonly status: number
  /** The media type; empty where there is none. */
  readonly type: string
  /** Another header, its name in lower case; undefined where there is none. */
  header(name: string): string | undefined
  readonly body: string
}

/** Resolves to the reply of `GET url`; rejects where it has not come in time, or has a body of more than `most` octets. */
export function httpGet(url: URL, timeoutMs: number, most: number): Promise<HttpReply> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const send = url.protocol === 'https:' ? getSecurely : get
    const request = send(url, { agent: false, signal }, response => {
      const { statusCode: status = 0, headers } = response
      const chunks: Buffer[] = []
      let length = 0
      response.on('error', reject)
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        length += chunk.length
        if (length > most) response.destroy(new Error(`a reply of more than ${most} octets`))
      })
      response.on('end', () => {
        const type = headers['content-type'] ?? ''
        const body = Buffer.concat(chunks).toString()
        resolve({ status, type, header: name => headers[name]?.toString(), body })
      })
    })
    request.on('error', error => reject(signal.aborted ? new Error(`no reply in ${timeoutMs} ms`) : error))
  })
}
