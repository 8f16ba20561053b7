/**
 * The one door to @kubernetes/client-node. It is imported dynamically, so that only a server with an API source pays for the
 * library, and names what it uses, so that a bundler can leave out the rest.
 */
export { KubeConfig } from '@kubernetes/client-node'
