/** The product's version, from package.json; a bundle carries it inside. */
import manifest from '../package.json' with { type: 'json' }

export const version: string = manifest.version
