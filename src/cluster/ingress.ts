/** Ingresses and what they refer to: their classes, and the secrets of their certificates, of which no content is ever kept. */
import type { Fields } from './fields.ts'
import type { Meta } from './objects.ts'
import { subdomain, trimMeta, trimNamed } from './trim-parts.ts'

export interface Ingress extends Meta {
  readonly kind: 'Ingress'
  /** `spec.ingressClassName`; empty where there is none. */
  readonly className: string
  /** The `kubernetes.io/ingress.class` annotation, which came before that; empty where there is none. */
  readonly classAnnotation: string
  readonly defaultBackend: IngressBackend | undefined
  readonly tls: readonly IngressTls[]
  readonly rules: readonly IngressRule[]
  /** Addresses and names at which the controller says that it can be reached. */
  readonly addresses: readonly string[]
}

export interface IngressTls {
  /** Empty for what the controller takes for its own. */
  readonly hosts: readonly string[]
  /** Empty where the controller has to know a certificate itself. */
  readonly secretName: string
}

export interface IngressRule {
  /** A name, one whose first label is `*`, or empty for all hosts. */
  readonly host: string
  readonly paths: readonly IngressPath[]
}

const pathTypes = ['Exact', 'Prefix', 'ImplementationSpecific'] as const

export interface IngressPath {
  /** Empty where there is none, which only ImplementationSpecific allows. */
  readonly path: string
  readonly pathType: (typeof pathTypes)[number]
  readonly backend: IngressBackend
}

export type IngressBackend = ServiceBackend | ResourceBackend

export interface ServiceBackend {
  /** Of the Ingress's own namespace. */
  readonly service: string
  /** Number or name of a port of the service. */
  readonly port: number | string
  readonly resource?: never
}

export interface ResourceBackend {
  /** Some other object of the same namespace, such as a storage bucket, as `Kind.group name`. */
  readonly resource: string
}

export interface IngressClass extends Meta {
  readonly kind: 'IngressClass'
  readonly controller: string
  /** Whether it is the class of Ingresses that name none. */
  readonly isDefault: boolean
}

export interface Secret extends Meta {
  readonly kind: 'Secret'
  /** Empty where the source has its metadata only: an API server is asked for those of the type `kubernetes.io/tls`. */
  readonly type: string
}

/** All of these throw a PortolanError that names the field for what is no such object. */
export function trimIngress(json: Fields): Ingress {
  const spec = json.child('spec')
  return {
    kind: 'Ingress',
    ...trimMeta(json, subdomain),
    className: spec.text('ingressClassName', ''),
    classAnnotation: json.child('metadata').map('annotations')['kubernetes.io/ingress.class'] ?? '',
    defaultBackend: spec.has('defaultBackend') ? trimBackend(spec.child('defaultBackend')) : undefined,
    tls: spec.children('tls').map(tls => ({ hosts: tls.texts('hosts'), secretName: tls.text('secretName', '') })),
    rules: spec.children('rules').map(trimRule),
    addresses: json.child('status').child('loadBalancer').children('ingress').flatMap(trimAddresses),
  }
}

function trimRule(json: Fields): IngressRule {
  return { host: json.text('host', ''), paths: json.child('http').children('paths').map(trimPath) }
}

function trimPath(json: Fields): IngressPath {
  const pathType =
    pathTypes.find(type => type === json.text('pathType')) ?? json.refuse('pathType', pathTypes.join(', '))
  const path = json.text('path', '')
  if (!path.startsWith('/') && (path !== '' || pathType !== 'ImplementationSpecific'))
    json.refuse('path', 'a path that starts with /')
  return { path, pathType, backend: trimBackend(json.child('backend')) }
}

function trimBackend(json: Fields): IngressBackend {
  if (json.has('resource')) {
    const resource = json.child('resource')
    const group = resource.text('apiGroup', '')
    return { resource: `${resource.text('kind', '')}${group && `.${group}`} ${resource.text('name', '')}` }
  }
  if (!json.has('service')) json.refuse('service', 'a service, or a resource')
  const service = json.child('service')
  const port = service.child('port')
  return {
    service: service.text('name') || service.refuse('name', 'the name of a service'),
    port:
      port.text('name', '') || (port.integer('number', 1, 65_535) ?? port.refuse('number', 'a port number, or a name')),
  }
}

function trimAddresses(json: Fields): string[] {
  return [json.text('ip', ''), json.text('hostname', '')].filter(address => address !== '')
}

export function trimIngressClass(json: Fields): IngressClass {
  const annotations = json.child('metadata').map('annotations')
  return {
    kind: 'IngressClass',
    ...trimNamed(json, subdomain),
    namespace: '',
    controller: json.child('spec').text('controller', ''),
    isDefault: annotations['ingressclass.kubernetes.io/is-default-class'] === 'true',
  }
}

export function trimSecret(json: Fields): Secret {
  const partial = json.text('kind') === 'PartialObjectMetadata'
  return { kind: 'Secret', ...trimMeta(json, subdomain), type: partial ? '' : json.text('type', 'Opaque') }
}
