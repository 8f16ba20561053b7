/** What is deployed: the manifests of config/deploy, posted as they are. */
import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'
import { PortolanError } from '../../src/errors.ts'
import type { ApiClient, ApiObject } from './api-client.ts'

const pattern = fileURLToPath(new URL('../../config/deploy/*.yaml', import.meta.url))

/** The account that the server's pods have. */
export const serverAccount: ApiObject = {
  kind: 'ServiceAccount',
  metadata: { namespace: 'kube-system', name: 'coredns' },
}

/** What that account may do. */
export const serverRole: ApiObject = { kind: 'ClusterRole', metadata: { name: 'system:coredns' } }

const configuration: ApiObject = { kind: 'ConfigMap', metadata: { namespace: 'kube-system', name: 'coredns' } }

/** Posts all manifests; returns how many there are. */
export async function deploy(client: ApiClient): Promise<number> {
  const objects = globSync(pattern)
    .sort()
    .flatMap(file => parseAllDocuments(readFileSync(file, 'utf8')))
    .map(document => document.toJSON() as ApiObject)
  for (const object of objects) await client.create(object)
  return objects.length
}

/** The Corefile as the cluster has it. */
export async function deployedCorefile(client: ApiClient): Promise<string> {
  const data = (await client.read(configuration))?.['data'] as { Corefile?: string } | undefined
  if (data?.Corefile === undefined) throw new PortolanError('PORTOLAN_E2E_DEPLOY', 'the cluster has no Corefile')
  return data.Corefile
}
