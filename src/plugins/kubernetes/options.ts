/** What a `kubernetes` directive says. */
import { parseSelector, type Selector } from '../../cluster/labels.ts'
import type { Directive } from '../../corefile/directive.ts'
import { readOptions } from '../../corefile/options.ts'
import { messageOf } from '../../errors.ts'
import type { SetupContext } from '../../plugin/plugin.ts'
import { type NameKey, ROOT } from '../../wire/name.ts'
import { isReverse } from '../../zone/address.ts'
import type { PodMode } from '../../zone/pod-names.ts'

export interface KubernetesOptions {
  origins: readonly NameKey[]
  ttl: number
  pods: PodMode
  endpointPodNames: boolean
  noEndpoints: boolean
  ignoreEmptyService: boolean
  zonal: boolean
  namespaces: Set<string>
  labels: { text: string; selector: Selector } | undefined
  namespaceLabels: { text: string; selector: Selector } | undefined
  /** Zones for which a name that does not exist goes on to the next plugin. */
  fallthrough: readonly NameKey[]
  startupTimeoutMs: number
  /** A manifests folder or file, instead of an API server. */
  manifests: string | undefined
  serviceRange: readonly string[]
  podRange: readonly string[]
  endpoint: string | undefined
  tls: { cert: string; key: string; ca: string } | undefined
  kubeconfig: { file: string; context: string | undefined } | undefined
  qps: number
  burst: number
  maxInflight: number
  /** 0 means never. */
  selfCheckMs: number
}

/** The API server lists everything for it. */
const LEAST_SELF_CHECK_MS = 1_000

/** Options of CoreDNS before 1.7 that old Corefiles still have: they had no effect on answers, or none any more. */
const OBSOLETE = ['upstream', 'resyncperiod', 'transfer', 'federation']

export function readKubernetes(directive: Directive, { block, directory, log }: SetupContext): KubernetesOptions {
  const options: KubernetesOptions = {
    origins: directive.zones(block.origins),
    ttl: 5,
    pods: 'disabled',
    endpointPodNames: false,
    noEndpoints: false,
    ignoreEmptyService: false,
    zonal: false,
    namespaces: new Set(),
    labels: undefined,
    namespaceLabels: undefined,
    fallthrough: [],
    startupTimeoutMs: 5_000,
    manifests: undefined,
    serviceRange: [],
    podRange: [],
    endpoint: undefined,
    tls: undefined,
    kubeconfig: undefined,
    qps: 0,
    burst: 0,
    maxInflight: 0,
    selfCheckMs: 60_000,
  }
  const obsolete = (option: Directive) => {
    option.rest()
    option.takeBlock()
    log.warning(`${option.name} is obsolete and ignored: remove it from the Corefile`)
  }
  readOptions(directive, {
    endpoint_pod_names() {
      options.endpointPodNames = true
    },
    pods(option) {
      options.pods = option.oneOf(['disabled', 'insecure', 'verified'])
    },
    namespaces(option) {
      for (const { text } of option.rest({ name: 'namespaces', min: 1 })) options.namespaces.add(text)
    },
    endpoint(option) {
      const [first, second] = option.rest({ name: 'url', min: 1 })
      options.endpoint = first!.text
      if (second) log.warning(`endpoint: only the first URL is used, ${first!.text}`)
    },
    tls(option) {
      options.tls = { cert: option.path('.'), key: option.path('.'), ca: option.path('.') }
    },
    kubeconfig(option) {
      options.kubeconfig = { file: option.path('.'), context: option.more ? option.text() : undefined }
    },
    labels(option) {
      options.labels = selectorOf(option)
    },
    namespace_labels(option) {
      options.namespaceLabels = selectorOf(option)
    },
    fallthrough(option) {
      options.fallthrough = option.zones([ROOT])
    },
    ttl(option) {
      options.ttl = option.ttl({ name: 'ttl', min: 0, max: 3600 })
    },
    noendpoints() {
      options.noEndpoints = true
    },
    zonal() {
      options.zonal = true
    },
    ignore(option) {
      option.oneOf(['empty_service'])
      options.ignoreEmptyService = true
    },
    startup_timeout(option) {
      options.startupTimeoutMs = option.milliseconds({ name: 'startup_timeout' })
    },
    apiserver_qps(option) {
      options.qps = option.number({ name: 'apiserver_qps', min: 0 })
    },
    apiserver_burst(option) {
      options.burst = option.integer({ name: 'apiserver_burst', min: 0 })
    },
    apiserver_max_inflight(option) {
      options.maxInflight = option.integer({ name: 'apiserver_max_inflight', min: 0 })
    },
    self_check(option) {
      options.selfCheckMs = option.milliseconds({ name: 'self_check' })
      if (options.selfCheckMs > 0 && options.selfCheckMs < LEAST_SELF_CHECK_MS)
        throw option.error('self_check must be 0 or at least 1s')
    },
    multicluster(option) {
      throw option.error('multicluster is not supported yet')
    },
    manifests(option) {
      options.manifests = option.path(directory, { name: 'path' })
    },
    service_range(option) {
      options.serviceRange = option.rest({ name: 'ranges', min: 1 }).map(({ text }) => text)
    },
    pod_range(option) {
      options.podRange = option.rest({ name: 'ranges', min: 1 }).map(({ text }) => text)
    },
    ...Object.fromEntries(OBSOLETE.map(name => [name, obsolete])),
  })
  check(directive, options)
  return options
}

function selectorOf(option: Directive): { text: string; selector: Selector } {
  const tokens = option.rest({ name: 'selector', min: 1 })
  const text = tokens.map(token => token.text).join(' ')
  try {
    return { text, selector: parseSelector(text) }
  } catch (error) {
    throw option.error(`${option.name}: ${messageOf(error)}`, tokens[0]!, error)
  }
}

/** What no option shows by itself. */
function check(directive: Directive, options: KubernetesOptions): void {
  if (options.origins.every(isReverse)) throw directive.error('at least one zone must not be a reverse zone')
  if (options.namespaces.size > 0 && options.namespaceLabels) {
    throw directive.error('namespaces and namespace_labels cannot both be set')
  }
  if (options.zonal && options.noEndpoints) throw directive.error('zonal needs endpoints: remove noendpoints')
  const sources = [options.manifests, options.kubeconfig, options.endpoint].filter(source => source !== undefined)
  if (options.manifests !== undefined && sources.length > 1) {
    throw directive.error('manifests takes the place of an API server: remove kubeconfig and endpoint')
  }
  if (options.manifests === undefined && options.serviceRange.length + options.podRange.length > 0) {
    throw directive.error('service_range and pod_range go with manifests')
  }
}
