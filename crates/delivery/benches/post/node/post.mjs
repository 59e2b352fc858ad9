// Sends messages with the AWS SDK for JavaScript: reads `COUNT SIZE` from its standard input and answers `done`.
//
//     node post.mjs URL CONCURRENCY

import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { createInterface } from "node:readline";

import { ApiGatewayManagementApiClient, PostToConnectionCommand } from "@aws-sdk/client-apigatewaymanagementapi";
import { NodeHttpHandler } from "@smithy/node-http-handler";

const [url, concurrency] = process.argv.slice(2);
const agent = { keepAlive: true, maxSockets: Number(concurrency) };
const client = new ApiGatewayManagementApiClient({
  endpoint: url,
  region: "us-east-1",
  credentials: { accessKeyId: "a", secretAccessKey: "b" },
  requestHandler: new NodeHttpHandler({ httpAgent: new HttpAgent(agent), httpsAgent: new HttpsAgent(agent) }),
});

async function batch(count, size) {
  const message = Buffer.alloc(size, "x");
  let left = count;
  const worker = async () => {
    while (left-- > 0) {
      await client.send(new PostToConnectionCommand({ ConnectionId: "XyZ12cdeIAMCJ1g=", Data: message }));
    }
  };
  await Promise.all(Array.from({ length: Number(concurrency) }, worker));
}

for await (const line of createInterface({ input: process.stdin })) {
  const [count, size] = line.split(" ").map(Number);
  await batch(count, size);
  console.log("done");
}
