import { constants } from 'node:os';
import { AcgError } from '../../model/index.ts';

const names = new Map(Object.entries(constants.signals).map(([name, value]) => [value, name as NodeJS.Signals]));

/** The name of a signal number. Real-time signals have none in Node's table: they come as `SIGRT<n>`. */
export function signalName(signal: number): NodeJS.Signals {
  return names.get(signal) ?? (`SIGRT${signal}` as NodeJS.Signals);
}

/** The number of a signal by its name, those of `signalName` included. */
export function signalNumber(name: NodeJS.Signals): number {
  const number = constants.signals[name] ?? Number(/^SIGRT(\d+)$/.exec(name)?.[1]);
  if (!Number.isInteger(number)) throw new AcgError('ACG_BAD_REQUEST', `no signal ${name}`);
  return number;
}
