import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** One real agent CLI: where it comes from and how it is run once, without a terminal, against a scripted model. */
export interface Agent {
  name: string;
  /** npm package and the version the tests were written against. */
  package: string;
  version: string;
  /** Program of the package that puts its native binary in place; no other install script is run. */
  finish?: string;
  bin: string;
  /** Writes what settings the agent needs into its home. */
  prepare?(home: string, url: string): void;
  args(prompt: string, url: string): string[];
  env(home: string, url: string): Record<string, string>;
  /** The model is told the exit status of a command. */
  tellsStatus: boolean;
  /** What a command leaves running lives on; if not, the agent kills it when the shell ends. */
  keepsBackground: boolean;
  /** Names its session in the environment of its shells. */
  namesSession: boolean;
}

const KEY = 'no-key';
const file = (path: string, content: unknown) => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
};

export const agents: readonly Agent[] = [
  {
    name: 'pi',
    package: '@earendil-works/pi-coding-agent',
    version: '0.87.1',
    bin: 'pi',
    prepare(home, url) {
      const models = [{ id: 'scripted', name: 'scripted', contextWindow: 100_000, maxTokens: 4096 }];
      const provider = { baseUrl: `${url}/v1`, api: 'openai-completions', apiKey: KEY, models };
      file(join(home, '.pi/agent/models.json'), { providers: { scripted: provider } });
    },
    args: (prompt) => ['--print', '--provider', 'scripted', '--model', 'scripted', prompt],
    env: () => ({ PI_OFFLINE: '1', PI_TELEMETRY: '0' }),
    tellsStatus: true,
    keepsBackground: true,
    namesSession: true,
  },
  {
    name: 'codex',
    package: '@openai/codex',
    version: '0.169.0',
    bin: 'codex',
    prepare(home, url) {
      file(
        join(home, '.codex/config.toml'),
        [
          'model = "gpt-5.1-codex"',
          'model_provider = "scripted"',
          'check_for_update_on_startup = false',
          '[model_providers.scripted]',
          'name = "scripted"',
          `base_url = "${url}/v1"`,
          'wire_api = "responses"',
          'env_key = "SCRIPTED_KEY"',
          '[features]',
          'plugins = false',
          '[analytics]',
          'enabled = false',
          '',
        ].join('\n'),
      );
    },
    args: (prompt) => ['exec', '--dangerously-bypass-approvals-and-sandbox', '--dangerously-bypass-hook-trust', prompt],
    env: (home) => ({ CODEX_HOME: join(home, '.codex'), SCRIPTED_KEY: KEY }),
    tellsStatus: true,
    keepsBackground: false,
    namesSession: true,
  },
  {
    name: 'claude-code',
    package: '@anthropic-ai/claude-code',
    version: '2.1.330',
    finish: 'install.cjs',
    bin: 'claude',
    args: (prompt) => ['--print', prompt, '--dangerously-skip-permissions'],
    env: (_home, url) => ({
      ANTHROPIC_BASE_URL: url,
      ANTHROPIC_API_KEY: KEY,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      DISABLE_AUTOUPDATER: '1',
      DISABLE_TELEMETRY: '1',
      DISABLE_ERROR_REPORTING: '1',
      BASH_DEFAULT_TIMEOUT_MS: '600000',
      // it refuses to skip permissions as root without this
      IS_SANDBOX: '1',
    }),
    tellsStatus: true,
    keepsBackground: true,
    namesSession: true,
  },
  {
    name: 'opencode',
    package: 'opencode-ai',
    version: '1.18.33',
    finish: 'postinstall.mjs',
    bin: 'opencode',
    prepare(home, url) {
      const options = { baseURL: `${url}/v1`, apiKey: KEY };
      const models = { scripted: { name: 'scripted', tool_call: true } };
      file(join(home, '.config/opencode/opencode.json'), {
        autoupdate: false,
        share: 'disabled',
        permission: 'allow',
        model: 'scripted/scripted',
        small_model: 'scripted/scripted',
        provider: { scripted: { npm: '@ai-sdk/openai-compatible', name: 'scripted', options, models } },
      });
    },
    args: (prompt) => ['run', prompt],
    env: () => ({
      OPENCODE_DISABLE_AUTOUPDATE: '1',
      OPENCODE_DISABLE_MODELS_FETCH: '1',
      OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
      OPENCODE_DISABLE_SHARE: '1',
    }),
    tellsStatus: false,
    keepsBackground: true,
    namesSession: false,
  },
];
