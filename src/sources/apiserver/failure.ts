/**
 * Why the API server could not be followed, sorted into classes that a person can act on: what was seen, what it means, what to
 * do. When to try again is left to the reflector, when to say it to the reports.
 */
import type { IncomingMessage } from 'node:http'
import { messageOf, PortolanError } from '../../errors.ts'
import type { Collection } from './resource.ts'

/**
 * `unreachable` no connection · `tls` no trust · `credentials` none to present · `unauthorized` 401 · `forbidden` 403 ·
 * `slow` no answer in time, or asked to wait · `gone` the history is not kept that long, list again · `failed` anything else.
 */
export type Reason = 'unreachable' | 'tls' | 'credentials' | 'unauthorized' | 'forbidden' | 'slow' | 'gone' | 'failed'

export type Verb = 'list' | 'watch'

export interface FailureOptions {
  readonly advice?: string
  readonly retryAfterMs?: number
  readonly cause?: unknown
}

/** A failure that a later attempt may not meet. The code is `PORTOLAN_API_` and the reason. */
export class ApiFailure extends PortolanError {
  readonly reason: Reason
  /** What to do about it; empty where there is nothing to say. */
  readonly advice: string
  /** How long the server asks to be left alone. */
  readonly retryAfterMs: number

  constructor(reason: Reason, message: string, { advice = '', retryAfterMs = 0, cause }: FailureOptions = {}) {
    super(`PORTOLAN_API_${reason.toUpperCase()}`, message, { cause })
    this.reason = reason
    this.advice = advice
    this.retryAfterMs = retryAfterMs
  }
}

const tlsCode =
  /^(ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|INVALID_|HOSTNAME_|PATH_LENGTH|EPROTO)/

/** The failure behind whatever was thrown while talking to the server at `origin`. */
export function failureOf(thrown: unknown, origin: string): ApiFailure {
  if (thrown instanceof ApiFailure) return thrown
  const cause = thrown
  const { code, syscall } = thrown as NodeJS.ErrnoException
  // Where several addresses were tried, the error that wraps theirs has a code but no message.
  const detail = messageOf(thrown) || code || 'connection failed'
  if (code !== undefined && tlsCode.test(code))
    return new ApiFailure('tls', `no trusted connection to ${origin}: ${detail}`, {
      advice:
        'check the CA certificate, the client certificate and key, and that the URL names what the server certificate does',
      cause,
    })
  if (syscall !== undefined || /^E[A-Z]+$/.test(code ?? ''))
    return new ApiFailure('unreachable', `cannot reach ${origin}: ${detail}`, {
      advice: 'check its address, that it runs, and that no firewall or NetworkPolicy stands between',
      cause,
    })
  return new ApiFailure('failed', detail, { cause })
}

/** The failure that a response other than 200 means. `body` is the beginning of what it said. */
export function refusal(response: IncomingMessage, body: string, verb: Verb, resource: Collection): ApiFailure {
  const { statusCode = 0, statusMessage = '', headers } = response
  const said = statusText(body)
  return statusFailure(statusCode, statusMessage, said, verb, resource, retryAfterMs(headers['retry-after']))
}

/** The failure that a Status object means, which is how a watch that is under way ends with an error. */
export function statusFailure(
  code: number,
  title: string,
  said: string,
  verb: Verb,
  resource: Collection,
  retryAfterMs = 0,
): ApiFailure {
  const what = `cannot ${verb} ${resource.plural}: ${`${code || ''} ${title}`.trim()}`
  const detail = said === '' ? what : `${what}: ${said}`
  switch (code) {
    case 401:
      return new ApiFailure('unauthorized', what, {
        advice:
          'the API server does not accept these credentials: check the token or certificate, and whether it expired',
      })
    case 403:
      return new ApiFailure('forbidden', `${what} for ${userIn(said)}`, {
        advice: `add to its ClusterRole: apiGroups ["${resource.group}"], resources ["${resource.plural}"], verbs ["list", "watch"]`,
      })
    case 404:
      return new ApiFailure('failed', detail, {
        advice: `the server has no ${resource.path}: is it a Kubernetes API server, of version 1.21 or later?`,
      })
    case 410:
      return new ApiFailure('gone', detail)
    case 429:
      return new ApiFailure('slow', detail, { advice: 'the API server is overloaded', retryAfterMs })
    case 502:
    case 503:
      return new ApiFailure('slow', detail, { advice: 'the API server is starting, or away', retryAfterMs })
    default:
      return new ApiFailure('failed', detail, { retryAfterMs })
  }
}

/** The message of a Status object; of anything else, a proxy's page for example, the first line. */
function statusText(body: string): string {
  try {
    const { message } = JSON.parse(body) as { message?: unknown }
    if (typeof message === 'string') return message
  } catch {
    // Not JSON, so it is shown as it is.
  }
  return body.trim().split('\n', 1)[0]!.slice(0, 200)
}

function userIn(message: string): string {
  return /User "([^"]+)"/.exec(message)?.[1] ?? 'this user'
}

function retryAfterMs(header: string | undefined): number {
  const seconds = Number(header)
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0
}
