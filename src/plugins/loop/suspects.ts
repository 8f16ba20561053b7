/**
 * Guesses which line of which file makes a forwarding loop, for the message that ends the process.
 */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { parseHostPort } from '../../corefile/addresses.ts'
import type { Directive } from '../../corefile/directive.ts'
import { positionText } from '../../corefile/errors.ts'
import type { Token } from '../../corefile/lexer.ts'
import { resolvConfLines } from '../../net/resolv-conf.ts'

/** One line for each upstream that leads back to this machine; if there is none, what to look at instead. */
export function suspects(directives: readonly Directive[], read: (path: string) => string = readText): string[] {
  const forwards = directives.filter(({ name }) => name === 'forward')
  const lines = forwards.flatMap(({ args }) => args.slice(1).flatMap(to => suspectsOf(to, read)))
  if (lines.length > 0) return lines
  return forwards.map(({ at }) => `${positionText(at)}: an upstream that forward names sends queries back here`)
}

function suspectsOf(to: Token, read: (path: string) => string): string[] {
  const place = positionText(to)
  const target = to.text.replace(/^\w+:\/\//, '')
  const { host } = parseHostPort(target, 53) ?? { host: target }
  if (isOwn(host)) return [`${place}: forward sends queries to ${host}, which is this machine: name another upstream`]
  if (!target.startsWith('/')) return []
  return resolvConfLines(read(target)).flatMap(({ number, keyword, values: [server] }) => {
    if (keyword !== 'nameserver' || server === undefined || !isOwn(server)) return []
    const cause = server.startsWith('127.0.0.5') ? ', where systemd-resolved listens on a host' : ''
    return [
      `${target}:${number}: nameserver ${server} is this machine itself${cause}: set resolvConf in the kubelet's ` +
        `configuration to a file with real servers (/run/systemd/resolve/resolv.conf), or name them at ${place}`,
    ]
  })
}

/** Loopback and unspecified addresses. */
function isOwn(host: string): boolean {
  return isIP(host) === 4 ? /^(127|0)\./.test(host) : /^(::1?|::ffff:127\..*)(%.*)?$/i.test(host)
}

/** Nothing for a file that cannot be read: there is a loop to report, and this is only a hint. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
