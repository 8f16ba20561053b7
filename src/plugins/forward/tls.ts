/** The certificates that `forward` shows and trusts. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import type { Directive } from '../../corefile/directive.ts'
import type { Token } from '../../corefile/lexer.ts'
import { messageOf } from '../../errors.ts'

export interface TlsFiles {
  readonly cert?: Buffer
  readonly key?: Buffer
  readonly ca?: Buffer
}

/** Reads `tls [CA | CERT KEY [CA]]`; relative paths start from `directory`. Throws positioned errors for what cannot be used. */
export function readTls(option: Directive, directory: string): TlsFiles {
  const places: Token[] = []
  const paths: string[] = []
  while (option.more && paths.length < 3) {
    places.push(option.args[paths.length]!)
    paths.push(option.path(directory))
  }
  const [first, key, ca] = paths.map((path, i) => contents(option, path, places[i]!))
  const files: TlsFiles =
    first === undefined ? {} : key === undefined ? { ca: first } : { cert: first, key, ...(ca ? { ca } : {}) }
  try {
    createSecureContext({ ...files })
    // A file without a certificate passes for an empty list of them.
    if (files.ca) new X509Certificate(files.ca)
  } catch (cause) {
    throw option.error(`cannot use ${paths.join(', ')} for TLS: ${messageOf(cause)}`, places[0], cause)
  }
  return files
}

/** What a TLS connection is made with. Where no CA is given, those of the system are trusted, or Node's where it has none. */
export function tlsContext(files: TlsFiles): SecureContext {
  const system = files.ca === undefined ? getCACertificates('system') : []
  return createSecureContext({ minVersion: 'TLSv1.2', ...(system.length > 0 ? { ca: system } : {}), ...files })
}

function contents(option: Directive, path: string, at: Token): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw option.error(`cannot read ${path}: ${messageOf(cause)}`, at, cause)
  }
}
