// Sends messages with the AWS SDK for JavaScript: reads `COUNT SIZE` from its standard input and answers `done`.
//
//     node post.mjs URL CONCURRENCY

import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { createInterface } from "node:readline";

import { ApiGatewayManagementApiClient, PostToConnectionCommand } from "@aws-sdk/client-apigatewaymanagementapi";
import { NodeHttpHandler } from "@smithy/node-http-handler";

const [url, concurrency] = process.argv.slice(2);
// Milliseconds. A handshake waits for the others of this process, and a slow machine may take seconds for all of them.
const connectionTimeout = 60_000;
const agent = { keepAlive: true, maxSockets: Number(concurrency) };
const client = new ApiGatewayManagementApiClient({
  endpoint: url,
  region: "us-east-1",
  credentials: { accessKeyId: "a", secretAccessKey: "b" },
  requestHandler: new NodeHttpHandler({
    httpAgent: new HttpAgent(agent),
    httpsAgent: new HttpsAgent(agent),
    connectionTimeout,
  }),
  // The SDK repeats a request whose connection failed, after a pause.
  maxAttempts: 10,
});

const post = (message) => client.send(new PostToConnectionCommand({ ConnectionId: "XyZ12cdeIAMCJ1g=", Data: message }));

// A batch begins with one request under way, and each answer adds one until there are `concurrency`. The first batch
// therefore opens its connections one after the other: 64 TLS handshakes at once take a slow machine so long that some
// connections time out.
async function batch(count, size) {
  const message = Buffer.alloc(size, "x");
  const workers = [];
  let left = count;
  const worker = async () => {
    while (left-- > 0) {
      await post(message);
      if (workers.length < Number(concurrency)) workers.push(worker());
    }
  };
  workers.push(worker());
  // The list grows while it is read.
  for (const running of workers) await running;
}

for await (const line of createInterface({ input: process.stdin })) {
  const [count, size] = line.split(" ").map(Number);
  await batch(count, size);
  console.log("done");
}
