/** What a `loadbalance` directive says. */
import type { Directive } from '../../corefile/directive.ts'
import { readOptions } from '../../corefile/options.ts'
import { type Network, networkFromText } from './preference.ts'

export interface LoadbalanceOptions {
  /** Absent with `round_robin`. */
  readonly weightFile: string | undefined
  /** 0 for never. */
  reloadMs: number
  /** In order of preference. */
  readonly networks: Network[]
}

export function readLoadbalanceOptions(directive: Directive, directory: string): LoadbalanceOptions {
  const weighted =
    directive.oneOf(['round_robin', 'weighted'], { name: 'policy', default: 'round_robin' }) === 'weighted'
  const options: LoadbalanceOptions = {
    weightFile: weighted ? directive.path(directory, { name: 'weight file' }) : undefined,
    reloadMs: 30_000,
    networks: [],
  }
  readOptions(directive, {
    reload(option) {
      if (!weighted) throw option.error('reload is for the weighted policy')
      options.reloadMs = option.milliseconds({ name: 'duration' })
    },
    prefer(option) {
      for (const token of option.rest()) {
        const network = networkFromText(token.text)
        if (!network) throw option.error(`prefer takes networks such as 10.0.0.0/8, got "${token.text}"`, token)
        options.networks.push(network)
      }
    },
  })
  return options
}
