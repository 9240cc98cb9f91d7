/** Writes our hooks into agents' settings, and takes them out again. */
export { insertHooks, removeInsertions } from './insert.ts';
export { type Done, install, preview, uninstall } from './install.ts';
export { parseSettings, plainValue } from './jsonc.ts';
export { type Installable, installable, type Target, targetOf, type Where } from './targets.ts';
