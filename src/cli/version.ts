import { createRequire } from 'node:module';

/** The version in package.json, found by the package's own name: the same from the sources, from dist/ and from a bundle. */
export const version: string = createRequire(import.meta.url)('agentcgroup/package.json').version;
