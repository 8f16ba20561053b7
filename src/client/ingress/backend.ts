/** What stands behind a rule of an Ingress: a port of a service, which may not be there, or something else. */
import type { ClusterView } from '../../cluster/contract.ts'
import type { Ingress, IngressBackend } from '../../cluster/ingress.ts'
import { keyOf, type Service, type ServicePort } from '../../cluster/objects.ts'
import { type Finding, fault, note } from './finding.ts'

export interface Found {
  readonly service: Service | undefined
  readonly port: ServicePort | undefined
  readonly findings: readonly Finding[]
  /** Part of a sentence. */
  readonly text: string
}

export function backendOf(view: ClusterView, { namespace }: Ingress, backend: IngressBackend): Found {
  const none = { service: undefined, port: undefined }
  if (backend.resource !== undefined) {
    const text = `${backend.resource} in ${namespace}`
    return {
      ...none,
      text,
      findings: [note(`the backend is no service but ${text}, which only its controller knows`)],
    }
  }
  const key = keyOf({ namespace, name: backend.service })
  const text = `service ${key} port ${backend.port}`
  const service = view.service(key)
  if (!service) return { ...none, text, findings: [fault(`there is no service ${key}`)] }
  const port = service.ports.find(({ name, port }) => backend.port === (typeof backend.port === 'string' ? name : port))
  return { service, port, text, findings: [...portFindings(service, backend.port, port), ...typeFindings(service)] }
}

function portFindings(service: Service, asked: number | string, port: ServicePort | undefined): Finding[] {
  if (port) return []
  const ports = service.ports.map(({ name, port }) => (name === '' ? `${port}` : `${port} (${name})`))
  return [fault(`service ${keyOf(service)} has no port ${asked}; it has ${ports.join(', ') || 'none'}`)]
}

function typeFindings({ type, externalName, ...service }: Service): Finding[] {
  if (type !== 'ExternalName') return []
  return [note(`service ${keyOf(service)} stands for ${externalName}, which not every controller follows`)]
}
