/** The routes of a few services, compiled when they are asked for: an explanation needs those of one address. */
import type { ClusterView } from '../../cluster/contract.ts'
import { keyOf, type Service } from '../../cluster/objects.ts'
import { type Routes, RouteTable } from '../../routes/table.ts'
import { canonicalAddress } from '../../wire/address.ts'

/** Those of services that have the address, or the port on each node. */
export function routesOf(view: ClusterView, ip: string, port: number | undefined): Routes {
  const wanted = [...view.list('Service')].filter(service => has(service, ip) || hasNodePort(service, port))
  const table = new RouteTable()
  table.update(view, { services: new Set(wanted.map(keyOf)) })
  return table
}

function has({ clusterIPs, externalIPs, loadBalancerIPs }: Service, ip: string): boolean {
  return [clusterIPs, externalIPs, loadBalancerIPs].some(ips =>
    ips.some(own => own === ip || canonicalAddress(own) === ip),
  )
}

function hasNodePort({ ports }: Service, port: number | undefined): boolean {
  return port !== undefined && ports.some(({ nodePort }) => nodePort === port)
}
