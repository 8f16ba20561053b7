/** Keeps one copy of strings that many objects repeat (namespaces, port names, zones, nodes). */

const capacity = 100_000
const strings = new Map<string, string>()

/** The one copy of this text. The table forgets everything when it is full, which costs memory but never a wrong answer. */
export function intern(text: string): string {
  const known = strings.get(text)
  if (known !== undefined) return known
  if (strings.size >= capacity) strings.clear()
  strings.set(text, text)
  return text
}
