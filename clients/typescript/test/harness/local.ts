import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import path from 'node:path';
import { REPOSITORY } from './paths.js';

/** The file of a program that Cargo has built. */
export function builtProgram(name: string): string {
  return path.join(process.env['CARGO_TARGET_DIR'] ?? path.join(REPOSITORY, 'target'), 'debug', name);
}

const BINARY = builtProgram('entity-stream');

/** The time limit for each wait. It is generous, because the machine may be building at the same time. */
export const PATIENCE_MS = 30_000;

/** A change to publish. */
export interface Change {
  entityType: string;
  entityId: string;
  type?: 'entityCreated' | 'entityUpdated' | 'entityDeleted';
  data?: object;
}

/** `entity-stream local` on free ports, as a process of its own. */
export class Local {
  private child: ChildProcess | undefined;
  output = '';

  private constructor(
    readonly port: number,
    private readonly dynamodbPort: number,
    private readonly flags: string[],
    private readonly variables: Record<string, string>,
  ) {}

  static async start(flags: string[] = [], variables: Record<string, string> = {}): Promise<Local> {
    assert(existsSync(BINARY), `${BINARY} is missing: run \`cargo build\` first`);
    const local = new Local(await freePort(), await freePort(), flags, variables);
    await local.run();
    return local;
  }

  get url(): string {
    return `ws://localhost:${this.port}`;
  }

  /** Starts the system, or restarts it on the same ports with an empty table. */
  async run(): Promise<void> {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('AWS_'));
    const ports = ['--port', String(this.port), '--dynamodb-port', String(this.dynamodbPort)];
    const child = spawn(BINARY, ['local', ...ports, ...this.flags], {
      env: { ...Object.fromEntries(inherited), ...this.variables },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (this.output += data.toString()));
    await until('the local system to be healthy', async () => {
      assert.equal(child.exitCode, null, `it ended: ${this.output}`);
      return (await fetch(`http://localhost:${this.port}/_local/health`)).ok;
    });
  }

  /** Stops the system with Ctrl-C. */
  async stop(): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGINT');
    const [code] = (await exit) as [number | null];
    assert.equal(code, 0, `entity-stream local must exit with 0 after Ctrl-C:\n${this.output}`);
  }

  /** Suspends the process, or resumes it. Its connections stay open, but it does not answer. */
  freeze(frozen: boolean): void {
    this.child?.kill(frozen ? 'SIGSTOP' : 'SIGCONT');
  }

  /** Kills the process if it still runs. */
  async kill(): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  /** Publishes changes in one request, at most ten, and returns the events' ids. */
  publish(tenant: string, changes: Change[]): Promise<string[]> {
    return this.putEvents(changes.map((change) => JSON.stringify({ type: 'entityUpdated', tenant, data: {}, ...change })));
  }

  /** Publishes a change of a room, with the text of `data` unchanged. */
  publishRaw(tenant: string, data: string): Promise<string[]> {
    const change = { type: 'entityUpdated', tenant, entityType: 'Room', entityId: 'urn:ngsi-ld:Room:001', data: null };
    return this.putEvents([JSON.stringify(change).replace('null', data)]);
  }

  private async putEvents(details: string[]): Promise<string[]> {
    const entries = details.map((detail) => ({ Source: 'com.example.broker', DetailType: 'Entity Change', Detail: detail }));
    const answer = await aws(this.port, 'application/x-amz-json-1.1', 'AWSEvents.PutEvents', { Entries: entries });
    assert.equal(answer['FailedEntryCount'], 0, JSON.stringify(answer));
    return (answer['Entries'] as { EventId: string }[]).map(({ EventId }) => EventId);
  }

  /** Creates an API key for a tenant. */
  createKey(name: string, tenant: string): string {
    const where = ['--dynamodb-url', `http://localhost:${this.dynamodbPort}`];
    return execFileSync(BINARY, ['keys', 'create', name, '--tenant', tenant, ...where], { encoding: 'utf8', stdio: 'pipe' }).trim();
  }

  /** The number of registered connections. */
  async connections(): Promise<number> {
    return (await this.partitions()).filter((pk) => pk.startsWith('C#')).length;
  }

  /** Waits for the effect of a `subscribe` without `requestId`, which gets no answer. */
  async interest(tenant: string, entityType: string): Promise<void> {
    const partition = `T#${tenant}#${entityType}`;
    await until(`an interest in ${partition}`, async () => (await this.partitions()).includes(partition));
  }

  private async partitions(): Promise<string[]> {
    const scanned = await this.dynamodb('Scan', { TableName: 'entity-stream-connections', ConsistentRead: true });
    return (scanned['Items'] as { pk: { S: string } }[]).map(({ pk }) => pk.S);
  }

  private dynamodb(operation: string, body: object): Promise<Record<string, unknown>> {
    return aws(this.dynamodbPort, 'application/x-amz-json-1.0', `DynamoDB_20120810.${operation}`, body);
  }
}

/** Calls `condition` until it is true. An exception counts as false. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  let last: unknown;
  for (;;) {
    try {
      if (await condition()) return;
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`waited ${PATIENCE_MS} ms for ${what}`, { cause: last });
    await pause(50);
  }
}

async function aws(port: number, contentType: string, target: string, body: object): Promise<Record<string, unknown>> {
  const response = await fetch(`http://localhost:${port}/`, {
    method: 'POST',
    headers: {
      'Content-Type': contentType,
      'X-Amz-Target': target,
      // The embedded DynamoDB requires a signature but does not check it.
      Authorization: 'AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
      'X-Amz-Date': '20260101T000000Z',
    },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  assert(response.ok, `${target} was answered with ${response.status}: ${text}`);
  return JSON.parse(text) as Record<string, unknown>;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  assert(address !== null && typeof address === 'object');
  return address.port;
}
