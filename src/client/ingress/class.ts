/** Whose an Ingress is: the class that it names, in one of two ways, or gets for naming none. */
import type { ClusterView } from '../../cluster/contract.ts'
import type { Ingress } from '../../cluster/ingress.ts'
import { keyOf } from '../../cluster/objects.ts'
import { type Finding, fault, note } from './finding.ts'

export interface ClassOf {
  /** Empty where there is none. */
  readonly name: string
  /** Empty where it is not known. */
  readonly controller: string
  readonly findings: readonly Finding[]
}

export function classOf(view: ClusterView, ingress: Ingress): ClassOf {
  const { className, classAnnotation } = ingress
  const fallback = [...view.list('IngressClass')].find(({ isDefault }) => isDefault)
  const name = className || classAnnotation || fallback?.name || ''
  const { controller = '' } = view.get('IngressClass', name) ?? {}
  return { name, controller, findings: [...classFindings(view, ingress, fallback?.name), ...statusFindings(ingress)] }
}

function classFindings(view: ClusterView, ingress: Ingress, fallback: string | undefined): Finding[] {
  const { className, classAnnotation } = ingress
  if (className !== '') {
    if (view.get('IngressClass', className)) return []
    return [fault(`there is no IngressClass ${className}, so no controller takes ${keyOf(ingress)}`)]
  }
  if (classAnnotation !== '') {
    const text = `${keyOf(ingress)} names its class by the annotation kubernetes.io/ingress.class, which not every controller reads any more`
    return [note(text)]
  }
  if (fallback !== undefined) {
    const text = `${keyOf(ingress)} names no class: it gets the default, ${fallback}, if that was the default when it was created`
    return [note(text)]
  }
  const text = `${keyOf(ingress)} names no class, and no class is the default: only a controller that takes such Ingresses takes it`
  return [fault(text)]
}

/** Manifests have no status; an object of an API server has one as soon as a controller has taken it. */
function statusFindings({ detail, addresses, ...ingress }: Ingress): Finding[] {
  if (addresses.length > 0 || !detail?.resourceVersion) return []
  return [note(`no controller has written an address into the status of ${keyOf(ingress)}`)]
}
