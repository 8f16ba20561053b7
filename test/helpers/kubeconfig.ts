/** A kubeconfig for a server that asks for no credentials, to be written as JSON. */
export function kubeconfig(server: string): unknown {
  const name = 'test'
  return {
    clusters: [{ name, cluster: { server } }],
    users: [{ name, user: {} }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  }
}
