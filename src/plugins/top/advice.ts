/** What keeps clients from searching the cluster for a name. */

/** `ndots` of a pod's resolv.conf unless the pod says otherwise. */
const USUAL_NDOTS = 5

/** For a name in its text form without the last dot; `walks`: whether the server goes through the search lists of clients that it knows. */
export function adviceFor(name: string, walks: boolean): string[] {
  const dots = name.split('.').length - 1
  return [
    `write it with a dot at its end (${name}.)`,
    ...(dots > 0 && dots < USUAL_NDOTS ? [`ndots:${dots} in the pod's dnsConfig`] : []),
    ...(walks ? [] : ['autopath @kubernetes in the Corefile']),
  ]
}
