/** The package's public door: `import { attach } from 'agentcgroup'`. See docs/sdk.md. */
export { AcgError, type CallStatus, type ErrorCode, type Feedback, type Priority } from './model/index.ts';
export {
  type AttachOptions,
  attach,
  Session,
  type SpawnOptions,
  type Subprocess,
  ToolCall,
  type ToolCallOptions,
  type ToolResult,
} from './sdk/index.ts';
