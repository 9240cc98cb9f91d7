/** What lockdep, KASAN, checks for sleeping and other watchmen wrote on the console. */
export const complaints = (console: string): string[] =>
  console.match(
    /^.*(WARNING|BUG:|KASAN|ODEBUG|possible (circular|recursive|deadlock)|inconsistent lock|suspicious RCU|held lock|blocked for more).*$/gm,
  ) ?? [];
