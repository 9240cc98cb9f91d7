import { chmod, rm } from 'node:fs/promises';
import fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyServerOptions } from 'fastify';
import {
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  AcgError,
  AgentId,
  asAcgError,
  CallAnnouncement,
  CallEnd,
  CallRequest,
  CallStatus,
  type Config,
  Health,
  SessionRequest,
  SessionStatus,
} from '../../model/index.ts';
import { peer } from '../native/index.ts';
import type { Engine } from './engine.ts';

/** What the API serves, without I/O of its own. */
export interface ApiSources {
  engine: Engine;
  health(): z.infer<typeof Health>;
  reconfigure(): Config;
  /** In Prometheus' text format. */
  metrics(): Promise<string>;
  version: string;
  log: FastifyBaseLogger;
}

const SessionPath = z.object({ session: z.string().max(64) });
const CallPath = z.object({ call: z.string().max(128) });
const SessionEnd = z.object({
  exitCode: z.number().int().nullable().optional(),
  signal: z.string().max(32).nullable().optional(),
});

/**
 * zod in the place of fastify's own compilers, said early enough that those are not even loaded: that is most of a start. The
 * types know only makers of fastify's own.
 */
const schemaController = {
  compilersFactory: { buildValidator: () => validatorCompiler, buildSerializer: () => serializerCompiler },
} as unknown as NonNullable<FastifyServerOptions['schemaController']>;

/** The HTTP API, documented at /v1/openapi.json. Not listening yet: see `listen`. */
export function buildApi(sources: ApiSources): FastifyInstance {
  const app = fastify({
    loggerInstance: sources.log,
    bodyLimit: 4 * 2 ** 20,
    schemaController,
    // what waits for the end of a call may wait for long: a daemon that goes does not
    forceCloseConnections: true,
  });
  app.setErrorHandler((error, request, reply) => {
    const e = toAcgError(error);
    if (e.status >= 500) request.log.error({ err: error }, `${request.method} ${request.url}`);
    reply.status(e.status).send(e.toJSON());
  });
  app.setNotFoundHandler((request, reply) => {
    const e = new AcgError('ACG_BAD_REQUEST', `no ${request.method} ${request.url}; see /v1/openapi.json`);
    reply.status(404).send(e.toJSON());
  });
  addRoutes(app, sources);
  let document: Promise<unknown> | undefined;
  app.get('/v1/openapi.json', () => {
    document ??= describe(sources);
    return document;
  });
  return app;
}

/** The OpenAPI document, made when it is first asked for: what makes it takes as long to load as all the rest of the daemon. */
async function describe(sources: ApiSources): Promise<unknown> {
  const { default: swagger } = await import('@fastify/swagger');
  const app = fastify({ schemaController });
  await app.register(swagger, {
    openapi: {
      info: { title: 'agentcgroup', version: sources.version, description: 'Sessions and tool calls of this node.' },
    },
    transform: jsonSchemaTransform,
  });
  addRoutes(app, sources);
  await app.ready();
  return app.swagger();
}

function addRoutes(app: FastifyInstance, { engine, health, reconfigure, metrics }: ApiSources): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();

  routes.get('/v1/health', { schema: { response: { 200: Health } } }, () => health());
  routes.get('/v1/config', { schema: { response: { 200: z.looseObject({}) } } }, () => engine.policy.config);
  routes.post('/v1/config/reload', { schema: { response: { 200: z.looseObject({}) } } }, () => reconfigure());
  routes.get('/metrics', { schema: { hide: true } }, async (_request, reply) => {
    reply.type('text/plain; version=0.0.4; charset=utf-8');
    return await metrics();
  });

  routes.get('/v1/sessions', { schema: { response: { 200: z.array(SessionStatus) } } }, () =>
    [...engine.sessions.values()].map((session) => engine.lifecycle.status(session)),
  );
  routes.post(
    '/v1/sessions',
    { schema: { body: SessionRequest, response: { 201: SessionStatus } } },
    async (request, reply) => {
      const requester = peer(request.raw.socket);
      if (requester.uid !== 0 && request.body.uid !== undefined && request.body.uid !== requester.uid)
        throw new AcgError('ACG_NOT_ROOT', 'only root may start a session for another user');
      reply.status(201);
      return await engine.lifecycle.create(request.body, requester);
    },
  );
  routes.get(
    '/v1/sessions/:session',
    { schema: { params: SessionPath, response: { 200: SessionStatus } } },
    (request) => {
      const session = engine.sessions.get(request.params.session);
      if (!session) throw new AcgError('ACG_NO_SESSION', request.params.session);
      return engine.lifecycle.status(session);
    },
  );
  routes.delete(
    '/v1/sessions/:session',
    { schema: { params: SessionPath, body: SessionEnd.nullish(), response: { 200: SessionStatus } } },
    (request) => engine.lifecycle.end(request.params.session, withoutUndefined(request.body ?? {})),
  );

  const CallQuery = z.object({
    session: z.string().max(64).optional(),
    running: z.stringbool().optional(),
    agentCallId: AgentId.optional(),
  });
  routes.get('/v1/calls', { schema: { querystring: CallQuery, response: { 200: z.array(CallStatus) } } }, (request) =>
    engine.statuses.list(request.query),
  );
  routes.get('/v1/calls/:call', { schema: { params: CallPath, response: { 200: CallStatus } } }, (request) =>
    engine.statuses.of(request.params.call),
  );
  routes.post(
    '/v1/calls/:call/kill',
    { schema: { params: CallPath, response: { 200: CallStatus } } },
    async (request) => ({
      ...(await engine.killCall(request.params.call)),
      state: 'ended' as const,
    }),
  );
  routes.post(
    '/v1/sessions/:session/calls',
    { schema: { params: SessionPath, body: CallRequest, response: { 201: CallStatus } } },
    async (request, reply) => {
      // a call may be held back: who hangs up takes the question back
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      reply.status(201);
      const { pid } = peer(request.raw.socket);
      return await engine.byData.open(request.params.session, request.body, pid, gone.signal);
    },
  );
  routes.post(
    '/v1/calls/:call/end',
    { schema: { params: CallPath, body: CallEnd, response: { 200: CallStatus } } },
    (request) => engine.byData.end(request.params.call, request.body),
  );
  routes.post(
    '/v1/sessions/:session/expected',
    { schema: { params: SessionPath, body: CallAnnouncement } },
    async (request, reply) => {
      const session = engine.sessions.get(request.params.session);
      if (!session) throw new AcgError('ACG_NO_SESSION', request.params.session);
      session.expected.announce(request.body.agentCallId, request.body.command, Date.now());
      reply.status(204).send();
      return reply;
    },
  );
}

/** Listens on a Unix socket that only its owner may use: who may speak here may do everything. */
export async function listen(app: FastifyInstance, socket: string): Promise<void> {
  await rm(socket, { force: true });
  await app.listen({ path: socket });
  await chmod(socket, 0o600);
}

function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as never;
}

function toAcgError(error: unknown): AcgError {
  const { statusCode, validation, message } = error as { statusCode?: number; validation?: unknown; message: string };
  const clientsFault = validation !== undefined || (statusCode !== undefined && statusCode >= 400 && statusCode < 500);
  return clientsFault && !(error instanceof AcgError) ? new AcgError('ACG_BAD_REQUEST', message) : asAcgError(error);
}
