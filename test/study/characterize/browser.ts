import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** The first of the usual names of Chromium on PATH, or what CHROMIUM names. */
export function chromium(): string | undefined {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const name of ['chromium', 'chromium-browser', 'google-chrome'])
    for (const dir of (process.env.PATH ?? '').split(delimiter))
      try {
        accessSync(join(dir, name), constants.X_OK);
        return join(dir, name);
      } catch {
        // not in this folder
      }
  return undefined;
}

/** A headless Chromium with one page, driven over its own debugging protocol: no library between. */
export class Browser implements AsyncDisposable {
  private readonly child: ChildProcess;
  private readonly dir: string;
  private readonly socket: WebSocket;
  private readonly waiting = new Map<number, (answer: { result?: unknown; error?: { message: string } }) => void>();
  private readonly events = new Map<string, (() => void)[]>();
  /** Errors the page threw, and what it logged as errors. */
  readonly problems: string[] = [];
  private id = 0;

  private constructor(child: ChildProcess, dir: string, socket: WebSocket) {
    this.child = child;
    this.dir = dir;
    this.socket = socket;
    socket.addEventListener('message', ({ data }) => {
      const message = JSON.parse(String(data));
      if (message.id !== undefined) this.waiting.get(message.id)?.(message);
      else for (const heard of this.events.get(message.method)?.splice(0) ?? []) heard();
      if (message.method === 'Runtime.exceptionThrown')
        this.problems.push(
          message.params.exceptionDetails.exception?.description ?? message.params.exceptionDetails.text,
        );
      if (message.method === 'Log.entryAdded' && message.params.entry.level === 'error')
        this.problems.push(message.params.entry.text);
    });
  }

  static async start(program: string): Promise<Browser> {
    const dir = await mkdtemp(join(tmpdir(), 'agentcgroup-chromium-'));
    const child = spawn(
      program,
      [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--disable-dev-shm-usage',
        '--disable-breakpad',
        '--hide-scrollbars',
        `--user-data-dir=${dir}`,
        '--remote-debugging-port=0',
        'about:blank',
      ],
      { stdio: 'ignore' },
    );
    try {
      const port = await portOf(dir);
      const pages = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
        type: string;
        webSocketDebuggerUrl: string;
      }[];
      const socket = new WebSocket(pages.find((p) => p.type === 'page')!.webSocketDebuggerUrl);
      await new Promise((resolve, reject) => {
        socket.addEventListener('open', resolve, { once: true });
        socket.addEventListener('error', reject, { once: true });
      });
      const browser = new Browser(child, dir, socket);
      for (const domain of ['Page', 'Runtime', 'Log']) await browser.send(`${domain}.enable`);
      return browser;
    } catch (error) {
      child.kill('SIGKILL');
      await rm(dir, { recursive: true, force: true });
      throw error;
    }
  }

  async send<T = Record<string, unknown>>(method: string, params: object = {}): Promise<T> {
    const id = ++this.id;
    const answer = new Promise<{ result?: unknown; error?: { message: string } }>((resolve) =>
      this.waiting.set(id, resolve),
    );
    this.socket.send(JSON.stringify({ id, method, params }));
    const { result, error } = await within(answer, method);
    this.waiting.delete(id);
    if (error) throw new Error(`${method}: ${error.message}`);
    return result as T;
  }

  async open(url: string, view: { width: number; height: number; dark?: boolean; mobile?: boolean }): Promise<void> {
    await this.send('Emulation.setDeviceMetricsOverride', {
      width: view.width,
      height: view.height,
      deviceScaleFactor: 1,
      mobile: view.mobile ?? false,
    });
    await this.send('Emulation.setEmulatedMedia', {
      features: [{ name: 'prefers-color-scheme', value: view.dark ? 'dark' : 'light' }],
    });
    const loaded = new Promise<void>((resolve) => this.events.set('Page.loadEventFired', [resolve]));
    await this.send('Page.navigate', { url });
    await within(loaded, `loading ${url}`);
  }

  /** The value of an expression in the page. */
  async value<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.send<{
      result: { value: T };
      exceptionDetails?: { text: string; exception?: { description?: string } };
    }>('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** What of the page sticks out of its place: figures' texts outside their frame, and the page itself when it is wider than `width`. */
  async sticksOut(width: number): Promise<string[]> {
    const wide = await this.value<number>('document.documentElement.scrollWidth');
    const cut = await this.value<
      string[]
    >(`[...document.querySelectorAll('figure svg')].filter((s) => s.getBoundingClientRect().width > 0).flatMap((s) => {
      const frame = s.getBoundingClientRect();
      return [...s.querySelectorAll('text')].filter((t) => { const b = t.getBoundingClientRect(); return b.width > 0 && (b.left < frame.left - 2 || b.right > frame.right + 2 || b.top < frame.top - 2 || b.bottom > frame.bottom + 2); })
        .map((t) => s.closest('figure').id + ': ' + t.textContent);
    })`);
    return [...(wide > width ? [`the page: ${wide} px`] : []), ...cut];
  }

  async mouse(type: 'mouseMoved' | 'mouseWheel', x: number, y: number, deltaY = 0): Promise<void> {
    await this.send('Input.dispatchMouseEvent', { type, x, y, deltaX: 0, deltaY });
  }

  /** PNG of the view, or of a part of the page. */
  async screenshot(clip?: { x: number; y: number; width: number; height: number }): Promise<Buffer> {
    const { data } = await this.send<{ data: string }>('Page.captureScreenshot', {
      captureBeyondViewport: clip !== undefined,
      ...(clip && { clip: { ...clip, scale: 1 } }),
    });
    return Buffer.from(data, 'base64');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.close();
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    if (this.child.exitCode === null && this.child.signalCode === null) await gone;
    await rm(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Chromium writes the port it chose into its profile. */
async function portOf(dir: string): Promise<number> {
  for (let i = 0; i < 300; i++) {
    const text = await readFile(join(dir, 'DevToolsActivePort'), 'utf8').catch(() => '');
    const port = Number(text.split('\n')[0]);
    if (port > 0) return port;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('Chromium did not open its debugging port within 30 s');
}

/** A browser that has crashed does not answer: no test waits for it longer than this. */
async function within<T>(answer: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no answer from Chromium within 40 s`)), 40_000);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
