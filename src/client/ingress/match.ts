/** How hosts and paths of Ingresses are compared with those of a request (networking.k8s.io/v1, IngressRule and HTTPIngressPath). */
import type { IngressPath } from '../../cluster/ingress.ts'

/** How closely a rule's host fits, the closest last. Rules of a closer one hide those of the others. */
export const hostFits = ['no', 'any', 'wildcard', 'exact'] as const

export type HostFit = (typeof hostFits)[number]

/** `*` stands for exactly one label; no host at all fits every one. Both are lower case. */
export function hostFit(host: string, asked: string): HostFit {
  if (host === '') return 'any'
  if (host === asked) return 'exact'
  const [first, ...rest] = asked.split('.')
  return first !== '' && host === ['*', ...rest].join('.') ? 'wildcard' : 'no'
}

/** ImplementationSpecific is the controller's to interpret; here as the common ones do, like Prefix. */
export function fitsPath({ path, pathType }: IngressPath, asked: string): boolean {
  if (pathType === 'Exact') return path === asked
  const elements = elementsOf(asked)
  return elementsOf(path).every((element, index) => elements[index] === element)
}

/** Orders paths that fit the same request, the one that counts first: the longest, and of two as long the exact one. */
export function byPrecedence(a: IngressPath, b: IngressPath): number {
  return elementsOf(b.path).length - elementsOf(a.path).length || exactness(b) - exactness(a)
}

function exactness({ pathType }: IngressPath): number {
  return pathType === 'Exact' ? 1 : 0
}

/** What stands between the slashes; one at the end means nothing. */
function elementsOf(path: string): string[] {
  const inner = path.replace(/^\//, '').replace(/\/$/, '')
  return inner === '' ? [] : inner.split('/')
}
