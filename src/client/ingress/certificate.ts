/** Which certificate a host gets by the `tls` sections of Ingresses, and whether its secret is there. */
import type { ClusterView } from '../../cluster/contract.ts'
import type { Ingress } from '../../cluster/ingress.ts'
import { type Key, keyOf } from '../../cluster/objects.ts'
import { type Finding, fault, note } from './finding.ts'
import { hostFit } from './match.ts'

export interface Certificate {
  /** Empty where it is left to the controller. */
  readonly secret: Key
  /** Undefined where nobody knows which secrets there are. */
  readonly present: boolean | undefined
  readonly findings: readonly Finding[]
}

/** The section that fits the host; `ingresses` are those of one class, the one that leads the request first. */
export function certificateOf(
  view: ClusterView,
  ingresses: readonly Ingress[],
  host: string,
  known: boolean,
): Certificate {
  const sections = ingresses.flatMap(ingress => ingress.tls.map(section => ({ ingress, section })))
  const found = sections.find(
    ({ section: { hosts } }) => hosts.length === 0 || hosts.some(own => hostFit(own, host) !== 'no'),
  )
  if (!found)
    return unnamed(
      `no tls section covers ${host}: its clients get the controller's own certificate, which they need not trust`,
    )
  const { ingress, section } = found
  if (section.secretName === '')
    return unnamed(`${keyOf(ingress)} names no secret for ${host}: the certificate is left to the controller`)
  const secret = keyOf({ namespace: ingress.namespace, name: section.secretName })
  if (!known) return { secret, present: undefined, findings: [] }
  return { secret, ...presence(view, secret, ingress) }
}

function unnamed(text: string): Certificate {
  return { secret: '', present: undefined, findings: [note(text)] }
}

const tlsType = 'kubernetes.io/tls'

function presence(view: ClusterView, key: Key, ingress: Ingress): Omit<Certificate, 'secret'> {
  const secret = view.get('Secret', key)
  if (!secret)
    return {
      present: false,
      findings: [fault(`there is no secret ${key} of type ${tlsType}, which ${keyOf(ingress)} names`)],
    }
  if (secret.type === '' || secret.type === tlsType) return { present: true, findings: [] }
  return {
    present: true,
    findings: [note(`secret ${key} is of type ${secret.type}, not ${tlsType}`)],
  }
}
