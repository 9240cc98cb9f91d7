import type { Command } from 'commander';

export function addMcp(program: Command): void {
  program
    .command('mcp')
    .description(
      'Run an MCP server (stdio) in its session: a call of its own, and a record of each tool it is asked for.',
    )
    .argument('<server...>', 'the server and its arguments, after --')
    .option('--name <name>', 'what to call it in records (default: its program)')
    .option('--run-dir <dir>', "the daemon's folder (default: /run/agentcgroup)")
    .passThroughOptions()
    .addHelpText(
      'after',
      `
Put it before the server's command in the agent's MCP settings. Messages pass through byte for byte. The server and all it
starts share one cgroup, which lives as long as the server; each tools/call gets a record (tool "mcp:NAME") with its time.
Outside of \`agentcgroup run\` the server runs as it would without.

Examples:
  agentcgroup mcp -- npx -y @modelcontextprotocol/server-filesystem /work
  agentcgroup mcp --name search -- python3 search_server.py`,
    )
    .action(async (server: string[], options: { name?: string; runDir?: string }) => {
      const { serveMcp } = await import('../mcp/serve.ts');
      process.exitCode = await serveMcp(server, options);
      // what the agent has not said yet would keep this process here
      process.stdin.destroy();
    });
}
