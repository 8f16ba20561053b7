/** A certificate authority of a test's own, by the `openssl` program: Node can read X.509 certificates but not make them. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
/** Days, the least that openssl takes. */
const lifetime = '1'

/** PEM files of a certificate and of its key. */
export interface KeyPair {
  readonly cert: string
  readonly key: string
}

export class Authority {
  readonly #folder: string
  readonly #pair: KeyPair

  private constructor(folder: string, pair: KeyPair) {
    this.#folder = folder
    this.#pair = pair
  }

  /** Makes a new authority; its files, and those of all that it issues, lie in `folder` and begin with its name. */
  static async create(folder: string, name: string): Promise<Authority> {
    const pair = pairIn(folder, name)
    await request(pair, `/CN=${name}`, ['-addext', 'keyUsage=critical,keyCertSign,cRLSign'])
    return new Authority(folder, pair)
  }

  /** PEM file of the authority's own certificate. */
  get cert(): string {
    return this.#pair.cert
  }

  /** A certificate for a server on 127.0.0.1. */
  async forServer(name: string): Promise<KeyPair> {
    return this.#issue(name, `/CN=${name}`, ['subjectAltName=IP:127.0.0.1', 'extendedKeyUsage=serverAuth'])
  }

  /** A certificate that tells the API server who a client is. */
  async forUser(name: string): Promise<KeyPair> {
    return this.#issue(name, `/CN=${name}`, ['extendedKeyUsage=clientAuth'])
  }

  async #issue(name: string, subject: string, extensions: readonly string[]): Promise<KeyPair> {
    const pair = pairIn(this.#folder, `${this.#pair.cert.replace(/^.*\/|\.crt$/g, '')}-${name.replaceAll(':', '-')}`)
    const { cert, key } = this.#pair
    const added = ['basicConstraints=critical,CA:FALSE', ...extensions].flatMap(each => ['-addext', each])
    await request(pair, subject, ['-CA', cert, '-CAkey', key, ...added])
    return pair
  }
}

function pairIn(folder: string, name: string): KeyPair {
  return { cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) }
}

async function request({ cert, key }: KeyPair, subject: string, more: readonly string[]): Promise<void> {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc']
  await run('openssl', [
    'req',
    '-x509',
    ...curve,
    '-days',
    lifetime,
    '-subj',
    subject,
    '-keyout',
    key,
    '-out',
    cert,
    ...more,
  ])
}
