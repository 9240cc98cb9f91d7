/**
 * A shell tool for the Vercel AI SDK, each call in a cgroup of its own: give `shellTool(session)` to `generateText` as one of
 * its `tools`. With the package `ai` installed, `tool` comes from there; the type here is what of it this example uses, so
 * that it is checked without it.
 *
 *   import { generateText, stepCountIs, tool } from 'ai';
 *   await using session = await attach({ name: 'my-agent', memory: '2g' });
 *   await generateText({ model, prompt, tools: { shell: tool(shellTool(session)) }, stopWhen: stepCountIs(20) });
 */
import { z } from 'zod';
import type { Session } from '../src/index.ts'; // in your project: from 'agentcgroup'

interface ToolDefinition<Input, Output> {
  description: string;
  inputSchema: z.ZodType<Input>;
  execute(input: Input, options: { toolCallId: string; abortSignal?: AbortSignal }): Promise<Output>;
}

const inputSchema = z.object({
  command: z.string().describe('the command line, run by bash'),
  resources: z.string().optional().describe('what it needs, if it is much: "memory:4g", "memory:2g,pids:500"'),
});

export function shellTool(session: Session): ToolDefinition<z.infer<typeof inputSchema>, object> {
  return {
    description: 'Run a shell command.',
    inputSchema,
    async execute({ command, resources }, { toolCallId, abortSignal }) {
      const hint = resources === undefined ? {} : { hint: resources };
      await using call = await session.toolCall({ command, agentCallId: toolCallId, ...hint });
      const result = await call.spawn('bash', ['-c', command], {
        timeoutMs: 120_000,
        maxBuffer: 64 * 1024,
        ...(abortSignal && { signal: abortSignal }),
      });
      const { exitCode, signal, stdout, stderr, feedback } = result;
      // the model reads why its call was stopped, and what to try instead
      return { exitCode, signal, stdout, stderr, ...(feedback && { note: `${feedback.text} ${feedback.advice}` }) };
    },
  };
}
