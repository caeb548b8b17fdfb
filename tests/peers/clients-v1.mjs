// TypeScript SDK v1, as in most clients of today: checks structured content with Ajv, of failures too.
import { firstSteps, load, server } from './common.mjs';

const { Client } = await load('@modelcontextprotocol/sdk/client/index.js');
const { StdioClientTransport } = await load('@modelcontextprotocol/sdk/client/stdio.js');

const client = new Client({ name: 'peer', version: '1' });
await client.connect(new StdioClientTransport(server()));
await firstSteps(client, 'TypeScript v1');
await client.close();
