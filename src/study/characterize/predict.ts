import { quantileOfSorted } from '../statistics/index.ts';

/**
 * How badly history predicts the next command. Each predictor gives a limit that 95 of 100 commands should stay under;
 * it is then held against the truth in sessions of tasks it has not seen. If history predicted well, coverage would be
 * near 95 % with little unused.
 */
export interface PastCall {
  /** Session and task it belongs to; tasks are never in training and test at once. */
  id: number;
  task: string;
  class: string;
  demand_mb: number;
  /** Demand of the session's previous command of this class. */
  last_demand_mb: number | null;
}

export interface Prediction {
  predictor: string;
  how: string;
  n: number;
  sessions: number;
  /** Per cent of commands that stay under their limit; 95 is asked for. */
  covered: number;
  /** Per cent of sessions with at least one command over its limit. */
  sessionsOver: number;
  /** Sum of limits / sum of demands. */
  reserved: number;
  /** Per cent of commands that need more than twice their limit and more than 10 MB. */
  farOver: number;
  /** 1 - pinball loss / pinball loss of one limit for all: 0 is no better than knowing nothing, 1 is perfect. Per cent. */
  skill: number;
}

const level = 0.95;
const folds = 5;
/** Below this a class says too little about its own tail. */
const least = 20;

type Predictor = (call: PastCall) => number;
interface Method {
  name: string;
  how: string;
  train: (calls: readonly PastCall[]) => Predictor;
}

const methods: Method[] = [
  {
    name: 'one limit',
    how: '95th percentile of all commands of other tasks',
    train: (calls) => {
      const all = upper(calls);
      return () => all;
    },
  },
  {
    name: 'by class',
    how: '95th percentile of the class in other tasks, which is quantile regression on the class; classes with fewer than 20 commands use the one limit',
    train: byClass,
  },
  {
    name: 'last time',
    how: "what the session's previous command of this class needed, and a tenth more; the first time, the class limit",
    train: (calls) => {
      const first = byClass(calls);
      return (c) => (c.last_demand_mb === null ? first(c) : c.last_demand_mb * 1.1);
    },
  },
  {
    name: 'class and last time',
    how: 'linear quantile regression of the logarithm of the demand on the class and on the logarithm of the last demand',
    train: regression,
  },
];

/** Every predictor, cross-validated over tasks (5 folds). Empty when there are too few commands or tasks. */
export function predictability(calls: readonly PastCall[]): Prediction[] {
  const tasks = [...new Set(calls.map((c) => c.task))];
  if (calls.length < 2 * least || tasks.length < folds) return [];
  const fold = new Map(tasks.sort().map((task, i) => [task, i % folds]));
  const limits = methods.map(() => new Float64Array(calls.length));
  for (let f = 0; f < folds; f++) {
    const training = calls.filter((c) => fold.get(c.task) !== f);
    for (const [m, method] of methods.entries()) {
      const predict = method.train(training);
      for (const [i, call] of calls.entries())
        if (fold.get(call.task) === f) limits[m]![i] = Math.max(0, predict(call));
    }
  }
  const base = loss(calls, limits[0]!);
  return methods.map((method, m) => score(method, calls, limits[m]!, base));
}

function score(method: Method, calls: readonly PastCall[], limits: Float64Array, base: number): Prediction {
  const sessions = new Map<number, boolean>();
  let covered = 0;
  let far = 0;
  let asked = 0;
  let needed = 0;
  for (const [i, c] of calls.entries()) {
    const over = c.demand_mb > limits[i]!;
    if (!over) covered++;
    else if (c.demand_mb > 2 * limits[i]! && c.demand_mb > 10) far++;
    asked += limits[i]!;
    needed += c.demand_mb;
    sessions.set(c.id, (sessions.get(c.id) ?? false) || over);
  }
  const n = calls.length;
  return {
    predictor: method.name,
    how: method.how,
    n,
    sessions: sessions.size,
    covered: (100 * covered) / n,
    sessionsOver: (100 * [...sessions.values()].filter(Boolean).length) / sessions.size,
    reserved: needed > 0 ? asked / needed : 0,
    farOver: (100 * far) / n,
    skill: base > 0 ? 100 * (1 - loss(calls, limits) / base) : 0,
  };
}

/** Pinball loss at the asked level: what a quantile minimises (Koenker and Bassett 1978). */
function loss(calls: readonly PastCall[], limits: Float64Array): number {
  return calls.reduce((sum, c, i) => {
    const r = c.demand_mb - limits[i]!;
    return sum + (r >= 0 ? level * r : (level - 1) * r);
  }, 0);
}

function upper(calls: readonly PastCall[]): number {
  return calls.length ? quantileOfSorted(Float64Array.from(calls, (c) => c.demand_mb).sort(), level) : 0;
}

function byClass(calls: readonly PastCall[]): Predictor {
  const all = upper(calls);
  const limits = new Map<string, number>();
  for (const [name, own] of Map.groupBy(calls, (c) => c.class)) if (own.length >= least) limits.set(name, upper(own));
  return (c) => limits.get(c.class) ?? all;
}

/** Features: one indicator per class (the intercept), has a last demand, log of it. */
function regression(calls: readonly PastCall[]): Predictor {
  const classes = [...new Set(calls.map((c) => c.class))].sort();
  const row = (c: PastCall): number[] => [
    ...classes.map((name) => (name === c.class ? 1 : 0)),
    c.last_demand_mb === null ? 0 : 1,
    Math.log1p(c.last_demand_mb ?? 0),
  ];
  const x = calls.map(row);
  const y = calls.map((c) => Math.log1p(c.demand_mb));
  const beta = quantileRegression(x, y, level);
  const first = byClass(calls);
  return (c) =>
    classes.includes(c.class) ? Math.expm1(row(c).reduce((sum, v, i) => sum + v * beta[i]!, 0)) : first(c);
}

/**
 * Coefficients of a linear quantile regression, by Hunter and Lange's majorize-minimize algorithm (2000): each step is a
 * weighted least squares with weights 1 / (epsilon + |residual|). A small ridge keeps empty columns solvable.
 */
export function quantileRegression(x: readonly number[][], y: readonly number[], tau: number): number[] {
  const p = x[0]?.length ?? 0;
  const beta = new Array<number>(p).fill(0);
  const epsilon = 1e-3;
  for (let step = 0; step < 40; step++) {
    const a = Array.from({ length: p }, (_, i) => Array.from({ length: p }, (_, j) => (i === j ? 1e-6 : 0)));
    const b = new Array<number>(p).fill(0);
    for (const [k, row] of x.entries()) {
      const r = y[k]! - row.reduce((sum, v, i) => sum + v * beta[i]!, 0);
      const w = 1 / (epsilon + Math.abs(r));
      const g = w * r + 2 * tau - 1;
      for (let i = 0; i < p; i++) {
        if (row[i] === 0) continue;
        b[i]! += row[i]! * g;
        for (let j = 0; j < p; j++) a[i]![j]! += row[i]! * row[j]! * w;
      }
    }
    const change = solve(a, b);
    let largest = 0;
    for (let i = 0; i < p; i++) {
      beta[i]! += change[i]!;
      largest = Math.max(largest, Math.abs(change[i]!));
    }
    if (largest < 1e-4) break;
  }
  return beta;
}

/** Solves a small symmetric positive system by Gaussian elimination with pivoting; `a` and `b` are consumed. */
function solve(a: number[][], b: number[]): number[] {
  const n = b.length;
  for (let i = 0; i < n; i++) {
    let pivot = i;
    for (let k = i + 1; k < n; k++) if (Math.abs(a[k]![i]!) > Math.abs(a[pivot]![i]!)) pivot = k;
    [a[i], a[pivot]] = [a[pivot]!, a[i]!];
    [b[i], b[pivot]] = [b[pivot]!, b[i]!];
    for (let k = i + 1; k < n; k++) {
      const f = a[k]![i]! / a[i]![i]!;
      if (!Number.isFinite(f) || f === 0) continue;
      for (let j = i; j < n; j++) a[k]![j]! -= f * a[i]![j]!;
      b[k]! -= f * b[i]!;
    }
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let j = i + 1; j < n; j++) b[i]! -= a[i]![j]! * b[j]!;
    b[i] = a[i]![i] ? b[i]! / a[i]![i]! : 0;
  }
  return b;
}
