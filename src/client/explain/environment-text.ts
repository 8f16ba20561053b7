/** The variables of a pod's services for people, as `env` would print them. */
import type { PodEnvironment, ServiceVariables } from '../environment.ts'

/** Whole lines. */
export function environmentText({ services, clashes, timed }: PodEnvironment): string {
  const lines = services.flatMap(serviceLines)
  if (services.length === 0) lines.push('# no service has variables here')
  for (const name of clashes)
    lines.push(`# ${name} is given by two services: which value a container gets is not defined`)
  if (!timed) lines.push('# when its containers started is not known, nor which services are younger')
  return `${lines.join('\n')}\n`
}

function serviceLines({ service, variables, missedBy }: ServiceVariables): string[] {
  const missed =
    missedBy.length === 0
      ? []
      : [`# ${service} is younger than ${missedBy.join(', ')}: missing there until the next start`]
  return [`# service ${service}`, ...missed, ...variables.map(({ name, value }) => `${name}=${value}`)]
}
