import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { anthropic } from './anthropic.ts';
import { chat } from './chat.ts';
import { responses } from './responses.ts';
import { nextTurn, type Script } from './script.ts';
import type { Json, ToolResult } from './wire.ts';

/** A model on loopback that follows a script, whichever API it is asked in. */
export interface ScriptedModel {
  url: string;
  /** The tool results of the longest request so far: all that the agent let the model see. */
  results: ToolResult[];
  requests: number;
  /** Requests that no wire format answers, for the failure message of a test. */
  strange: string[];
  close(): Promise<void>;
}

const wires = [anthropic, chat, responses];

export async function startModel(script: Script): Promise<ScriptedModel> {
  const model = { results: [] as ToolResult[], requests: 0, strange: [] as string[] };
  const server = createServer(async (ask, answer) => {
    const parts: Buffer[] = [];
    for await (const part of ask) parts.push(part as Buffer);
    const json = (status: number, value: Json) =>
      answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    const url = ask.url ?? '';
    const wire = ask.method === 'POST' ? wires.find(({ path }) => path.test(url)) : undefined;
    if (!wire) {
      if (/\/models(\?|$)/.test(url)) return json(200, { object: 'list', data: [{ id: 'scripted', object: 'model' }] });
      if (/count_tokens/.test(url)) return json(200, { input_tokens: 10 });
      model.strange.push(`${ask.method} ${url}`);
      return json(404, { error: { message: 'not scripted' } });
    }
    const request = JSON.parse(decompress(Buffer.concat(parts), ask.headers['content-encoding'])) as Json;
    const results = wire.results(request);
    if (results.length > model.results.length) model.results = results;
    const turn = nextTurn(script, wire.tools(request), results);
    const number = ++model.requests;
    if (request.stream !== true) return json(200, wire.whole(turn, number, request));
    answer.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    for (const event of wire.stream(turn, number, request)) answer.write(event);
    answer.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(model, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

function decompress(body: Buffer, encoding: string | undefined): string {
  if (encoding === 'gzip') return gunzipSync(body).toString();
  if (encoding === 'zstd') return zstdDecompressSync(body).toString();
  return body.toString();
}
