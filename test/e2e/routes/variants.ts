/** What kube-proxy's flags say, as our options and as the flags. */
import type { RenderOptions } from '../../../src/routes/setting.ts'
import { podRanges } from './plan.ts'

export interface Variant extends Omit<RenderOptions, 'family' | 'node'> {
  readonly name: string
}

export const usual: Variant = { name: 'pod ranges', clusterCIDRs: podRanges }

export const variants: readonly Variant[] = [
  usual,
  { name: 'no pod ranges' },
  { name: 'masquerade all', masqueradeAll: true },
  { name: 'some node ports', nodePortAddresses: ['192.168.77.0/24', '127.0.0.0/8', 'fd00:77::/64'] },
  { name: 'primary', nodePortAddresses: ['primary'] },
]

export function flagsOf({ clusterCIDRs, masqueradeAll, nodePortAddresses }: Variant): string[] {
  return [
    ...(clusterCIDRs ? [`--cluster-cidr=${clusterCIDRs.join()}`] : []),
    ...(masqueradeAll ? ['--masquerade-all'] : []),
    ...(nodePortAddresses ? [`--nodeport-addresses=${nodePortAddresses.join()}`] : []),
  ]
}
