/**
 * The plugins, in the order in which a query meets them. It is CoreDNS's order, which users' Corefiles rely on; the order of
 * lines in a Corefile does not matter.
 */
import type { PluginDefinition } from '../plugin/plugin.ts'
import { definition as kubernetes } from './kubernetes/index.ts'

export const plugins: readonly PluginDefinition[] = [kubernetes]
