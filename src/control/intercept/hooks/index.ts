/** What runs inside agents, at their hooks: light, quick, and silent when nothing happened or nobody answers. */
export { answerHook, commandHooks, readHookInput } from './answer.ts';
