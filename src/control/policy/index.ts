/** Pure decisions: (state, event, now) -> actions. No I/O, no clock, no randomness; imports only the vocabulary. */
export {
  type Action,
  type Applied,
  type Ceiling,
  type Explanation,
  KILL_MARGIN,
  type KillReason,
  type Target,
} from './actions.ts';
export { type CommandClass, commandClass, typicalBytes } from './command.ts';
export type { PolicyEvent, Usage } from './events.ts';
export { explainCall } from './explain.ts';
export { type FeedbackFacts, type FeedbackThresholds, feedbackFor, feedbackText } from './feedback.ts';
export {
  callGrowth,
  type GrowthBudget,
  type GuardBudget,
  guardBudget,
  guardRest,
  sessionGrowth,
  tenantGrowth,
} from './growth.ts';
export { HINT_VARIABLE, type Hint, hintOf, hintRecord, type ParsedHint, parseHint, sanitise } from './hint.ts';
export { pausesOf } from './ladder.ts';
export {
  type Call,
  type Growing,
  initialState,
  isRestless,
  marks,
  mattersWithin,
  rankOf,
  rankOfPriority,
  type Session,
  type State,
  type Tenant,
} from './state.ts';
export { decisions, type Step, step } from './step.ts';
export { unwrapCommand } from './unwrap.ts';
