/**
 * The volume with a service account's files as kubelet writes it: all files change at once, since what stands in the volume are links
 * into a folder that is replaced as a whole.
 */
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface AccountFiles {
  readonly token: string
  /** PEM of whom the API server's certificate may be issued by. */
  readonly ca: string
}

export class AccountVolume {
  readonly folder: string
  #writes = 0

  constructor(folder: string, files: AccountFiles) {
    this.folder = folder
    mkdirSync(folder, { recursive: true })
    this.write(files)
    for (const name of ['token', 'ca.crt', 'namespace']) symlinkSync(`..data/${name}`, join(folder, name))
  }

  write({ token, ca }: AccountFiles): void {
    const version = `..${++this.#writes}`
    mkdirSync(join(this.folder, version))
    for (const [name, content] of Object.entries({ token, 'ca.crt': ca, namespace: 'kube-system' })) {
      writeFileSync(join(this.folder, version, name), content)
    }
    symlinkSync(version, join(this.folder, '..data_tmp'))
    renameSync(join(this.folder, '..data_tmp'), join(this.folder, '..data'))
  }
}
