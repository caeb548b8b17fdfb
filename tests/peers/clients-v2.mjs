// TypeScript SDK v2 in each way of agreeing on a version. `auto` asks a throw-away copy of the server first.
import { firstSteps, load, server } from './common.mjs';

const { Client } = await load('@modelcontextprotocol/client');
const { StdioClientTransport } = await load('@modelcontextprotocol/client/stdio');

for (const mode of ['auto', 'legacy', { pin: '2026-07-28' }]) {
  const client = new Client({ name: 'peer', version: '1' }, { versionNegotiation: { mode } });
  await client.connect(new StdioClientTransport(server()));
  await firstSteps(client, `TypeScript v2 ${mode.pin ?? mode}`);
  await client.close();
}
