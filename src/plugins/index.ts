/**
 * The plugins, in the order in which a query meets them. It is CoreDNS's order, which users' Corefiles rely on; the order of
 * lines in a Corefile does not matter. `routes`, `explain` and `top` are not CoreDNS's and change no answer.
 */
import type { PluginDefinition } from '../plugin/plugin.ts'
import { definition as autopath } from './autopath/index.ts'
import { definition as bind } from './bind/index.ts'
import { definition as bufsize } from './bufsize/index.ts'
import { definition as cache } from './cache/index.ts'
import { definition as debug } from './debug/index.ts'
import { definition as errors } from './errors/index.ts'
import { definition as explain } from './explain/index.ts'
import { definition as forward } from './forward/index.ts'
import { definition as health } from './health/index.ts'
import { definition as hosts } from './hosts/index.ts'
import { definition as kubernetes } from './kubernetes/index.ts'
import { definition as loadbalance } from './loadbalance/index.ts'
import { definition as log } from './log/index.ts'
import { definition as loop } from './loop/index.ts'
import { definition as multisocket } from './multisocket/index.ts'
import { definition as prometheus } from './prometheus/index.ts'
import { definition as ready } from './ready/index.ts'
import { definition as reload } from './reload/index.ts'
import { definition as root } from './root/index.ts'
import { definition as routes } from './routes/index.ts'
import { definition as top } from './top/index.ts'
import { definition as whoami } from './whoami/index.ts'

export const plugins: readonly PluginDefinition[] = [
  root,
  multisocket,
  reload,
  bufsize,
  bind,
  debug,
  ready,
  health,
  prometheus,
  routes,
  explain,
  errors,
  log,
  top,
  loadbalance,
  autopath,
  cache,
  hosts,
  kubernetes,
  loop,
  forward,
  whoami,
]
