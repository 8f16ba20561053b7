/** Puts in words what `check --live` found out about an API server. */
import type { Probed } from '../../plugin/plugin.ts'
import type { Attempt, Probe } from '../../sources/apiserver/index.ts'

export function probedText({ server, version, attempts }: Probe): Probed {
  const failed = attempts.filter(({ failure }) => failure !== undefined)
  const forbidden = failed.filter(({ failure }) => failure?.reason === 'forbidden')
  return {
    ok: failed.length === 0,
    lines: [
      version === undefined ? server : `${server}, Kubernetes ${version}`,
      ...attempts.map(lineOf),
      ...(forbidden.length > 0 ? ['add to the rules of its ClusterRole:', ...rules(forbidden)] : []),
    ],
  }
}

function lineOf({ resource, verb, tookMs, failure }: Attempt): string {
  if (failure === undefined) return `may ${verb} ${resource.plural} (${Math.round(tookMs)} ms)`
  const { reason, message, advice } = failure
  // The rule to add comes once, for all that is forbidden.
  return advice === '' || reason === 'forbidden' ? message : `${message}; ${advice}`
}

/** As YAML, one for each resource. */
function rules(forbidden: readonly Attempt[]): string[] {
  const resources = [...new Set(forbidden.map(({ resource }) => resource))]
  return resources.flatMap(({ group, plural }) => [
    `- apiGroups: ["${group}"]`,
    `  resources: ["${plural}"]`,
    '  verbs: ["list", "watch"]',
  ])
}
