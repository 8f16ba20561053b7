/**
 * The file that the option `tls` names: the TLS part of the "web configuration" that Prometheus's exporters have in common
 * (prometheus/exporter-toolkit, docs/web-configuration.md). What is not understood is refused, as it may be there to protect.
 */
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { createSecureContext, type SecureVersion } from 'node:tls'
import { parse } from 'yaml'
import { messageOf, PortolanError } from '../../errors.ts'
import type { HttpTls } from '../../net/http-hub.ts'

type Fields = Readonly<Record<string, unknown>>

const versions: Readonly<Record<string, SecureVersion>> = {
  TLS10: 'TLSv1',
  TLS11: 'TLSv1.1',
  TLS12: 'TLSv1.2',
  TLS13: 'TLSv1.3',
}

/** What each kind of client authentication asks of clients. */
const clientAuthentication: Readonly<Record<string, Pick<HttpTls, 'requestCert' | 'rejectUnauthorized'>>> = {
  NoClientCert: {},
  RequestClientCert: { requestCert: true, rejectUnauthorized: false },
  RequireAndVerifyClientCert: { requestCert: true, rejectUnauthorized: true },
}

/**
 * Reads the file and the certificates it names (relative paths start from its folder). Undefined where it has no
 * `tls_server_config`, which means plain HTTP. Rejects with PORTOLAN_WEB_CONFIG.
 */
export async function readWebConfig(path: string): Promise<HttpTls | undefined> {
  try {
    const { tls_server_config: tls, ...others } = fieldsOf(parse(await readFile(path, 'utf8')) ?? {}, 'the file')
    refuse(others)
    if (tls === undefined) return undefined
    const read = await tlsOf(fieldsOf(tls, 'tls_server_config'), dirname(path))
    // Throws where a certificate is broken, or not that of the key.
    createSecureContext(read)
    return read
  } catch (error) {
    throw new PortolanError('PORTOLAN_WEB_CONFIG', `${path}: ${messageOf(error)}`, { cause: error })
  }
}

async function tlsOf(fields: Fields, directory: string): Promise<HttpTls> {
  const { cert_file, key_file, client_ca_file, client_auth_type, min_version, max_version, ...others } = fields
  refuse(others)
  const content = (file: unknown, name: string) => {
    if (typeof file !== 'string' || file === '') throw new Error(`${name} must name a file`)
    return readFile(resolve(directory, file))
  }
  const authentication = choice('client_auth_type', client_auth_type ?? 'NoClientCert', clientAuthentication)
  if (client_ca_file !== undefined && client_auth_type === undefined) {
    throw new Error('client_ca_file needs a client_auth_type')
  }
  return {
    cert: await content(cert_file, 'cert_file'),
    key: await content(key_file, 'key_file'),
    ...(client_ca_file === undefined ? {} : { ca: await content(client_ca_file, 'client_ca_file') }),
    minVersion: choice('min_version', min_version ?? 'TLS12', versions),
    maxVersion: choice('max_version', max_version ?? 'TLS13', versions),
    ...authentication,
  }
}

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw new Error(`${what} must be a mapping`)
}

function choice<T>(name: string, word: unknown, choices: Readonly<Record<string, T>>): T {
  if (typeof word === 'string' && Object.hasOwn(choices, word)) return choices[word]!
  throw new Error(`${name} must be one of ${Object.keys(choices).join(', ')}, got ${JSON.stringify(word)}`)
}

function refuse(others: Fields): void {
  const [name] = Object.keys(others)
  if (name !== undefined) throw new Error(`${name} is not supported`)
}
