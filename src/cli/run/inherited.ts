/** Descriptors that whoever started us meant for the agent: those that are not close-on-exec, as a spawn table from 0 up. */
export function inheritedFds(isCloseOnExec: (fd: number) => boolean, open: number[]): number[] {
  const passed = open.filter((fd) => fd <= 2 || !isCloseOnExec(fd));
  return Array.from({ length: Math.max(2, ...passed) + 1 }, (_, fd) => (passed.includes(fd) ? fd : -1));
}
