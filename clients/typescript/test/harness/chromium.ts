import { type Browser, type Page, chromium } from 'playwright-core';
import type { Environment } from './environment.js';
import { type Local, PATIENCE_MS } from './local.js';
import type { Probe } from './probe.js';
import { type Pages, servePages } from './pages.js';

const QUIET = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** Debian's Chromium. */
export function launch(...flags: string[]): Promise<Browser> {
  const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
  return chromium.launch({ executablePath, args: ['--no-sandbox', ...QUIET, ...flags] });
}

/**
 * Chromium for unchanged pages that use `localhost:3000`. It maps this address to the address of the local system.
 */
export function launchFor(local: Local): Promise<Browser> {
  return launch(`--host-resolver-rules=MAP localhost:3000 localhost:${local.port}`);
}

/** Collects the errors of a page. */
export function complaintsOf(page: Page): string[] {
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  return complaints;
}

/** Headless Chromium with a page of its own for each stream. */
export class Chromium implements Environment {
  readonly name = 'Chromium';
  readonly tellsStatus = false;

  private constructor(
    readonly browser: Browser,
    readonly pages: Pages,
  ) {}

  static async start(): Promise<Chromium> {
    return new Chromium(await launch(), await servePages());
  }

  async newPage(url: string): Promise<Page> {
    const page = await this.browser.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    await page.goto(url);
    return page;
  }

  open: Environment['open'] = async (options, nextToken = () => '') => {
    const page = await this.browser.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    await page.exposeFunction('nextToken', async () => nextToken());
    await page.goto(`${this.pages.url}/probe/`);
    await page.waitForFunction('window.openProbe');
    await page.evaluate('window.openProbe(' + JSON.stringify(options) + ')');
    return remote(page);
  };

  async end(): Promise<void> {
    await this.browser.close();
    await this.pages.close();
  }
}

/** The probe in a page, and the page. */
export type RemoteProbe = Probe & { page: Page };

function remote(page: Page): RemoteProbe {
  return new Proxy({ page } as RemoteProbe, {
    get(target, method) {
      if (method === 'page') return target.page;
      // The proxy is awaited, so it must not look like a promise.
      if (method === 'then') return undefined;
      return (...args: unknown[]) =>
        page.evaluate(
          ([method, args]) => (window as unknown as { probe: Record<string, (...args: unknown[]) => unknown> }).probe[method]!(...args),
          [String(method), args] as const,
        );
    },
  });
}
