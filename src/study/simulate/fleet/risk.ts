/**
 * How much room the bursts of n sessions need together. Their agents are known and always there; what calls hold at a random
 * moment is not, but its distribution is, and sessions are independent. Chernoff: the chance that the sum of n independent
 * bursts is above x is at most exp(n L(s) - s x) for every s > 0, where L(s) = log E exp(s B). So x(n) = min over s of
 * (n L(s) + log 1/risk) / s suffices: the effective bandwidth of bursty sources (Hui 1988, Kelly 1991).
 */

/** Values of s tried, from where bursts are as good as Gaussian to where only the largest counts. */
const tried = 60;

/** `bursts`: bytes at random moments. Returns x(0), x(1), ..., x(most). */
export function burstRoom(bursts: readonly number[], most: number, risk: number): number[] {
  const largest = Math.max(...bursts, 1);
  const odds = Math.log(1 / risk);
  const lines = Array.from({ length: tried }, (_, i) => {
    const s = (0.001 * 30_000 ** (i / (tried - 1))) / largest;
    // exponents are taken less their largest, so that nothing overflows
    const sum = bursts.reduce((n, b) => n + Math.exp(s * (b - largest)), 0);
    return { slope: (Math.log(sum / bursts.length) + s * largest) / s, start: odds / s };
  });
  const mean = bursts.reduce((n, b) => n + b, 0) / bursts.length;
  const room = [0];
  for (let n = 1; n <= most; n++) {
    const bound = Math.min(...lines.map(({ slope, start }) => n * slope + start), n * largest);
    // sampling must not make the bound fall below what is there on average, nor below that of fewer sessions
    room.push(Math.max(bound, n * mean, room[n - 1]!));
  }
  return room;
}
