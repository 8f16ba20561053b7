/** How much waits for a UDP socket to be read, and how a person learns of it. */

/** Octets that are asked for: room for some 5,000 queries. The system may give less. */
export const RECEIVE_BUFFER = 4 << 20

/** Linux counts its own overhead too, and so takes and tells twice what it is asked for. */
const COUNTED = process.platform === 'linux' ? 2 : 1

/** For a line of the log. `octets`: the size as the system tells it. */
export function receiveBufferText(octets: number): string {
  const got = octets / COUNTED
  const text = `receive buffer ${Math.floor(got / 1024)} KiB`
  if (got >= RECEIVE_BUFFER) return text
  const advice = COUNTED === 2 ? `: sysctl -w net.core.rmem_max=${RECEIVE_BUFFER} allows the rest` : ''
  return `${text} of ${RECEIVE_BUFFER / 1024} KiB${advice}`
}
