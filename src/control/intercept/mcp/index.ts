/** The MCP wrapper: what passes between an agent and an MCP server, seen and not touched. */
export { watchLines } from './lines.ts';
export { CallRecords } from './records.ts';
export { type McpEvent, readMessages } from './requests.ts';
