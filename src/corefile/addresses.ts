/**
 * `host:port` as plugins take it (`:8080`, `127.0.0.1:9153`, `[::1]:53`, `fd00::1`), and as everybody writes it.
 */

export interface HostPort {
  /** A name or an address without brackets; empty for all addresses. */
  readonly host: string
  readonly port: number
}

/**
 * Undefined when the text is no host and port, when the port is not from 0 to 65535, or when it is missing and there is no
 * default one. An IPv6 address with a port needs brackets.
 */
export function parseHostPort(text: string, defaultPort?: number): HostPort | undefined {
  const match = /^\[([^[\]\s]*)\](?::(\d{1,5}))?$|^([^:[\]\s]*):(\d{1,5})$/.exec(text)
  if (match === null) {
    const bare = text !== '' && !/[[\]\s]/.test(text) && (/^[^:]+$/.test(text) || /:.*:/.test(text))
    return bare && defaultPort !== undefined ? { host: text, port: defaultPort } : undefined
  }
  const digits = match[2] ?? match[4]
  const port = digits === undefined ? defaultPort : Number(digits)
  return port !== undefined && port <= 65535 ? { host: match[1] ?? match[3] ?? '', port } : undefined
}

/** `192.0.2.1:53`, `[2001:db8::1]:53`, `:53`. */
export function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
