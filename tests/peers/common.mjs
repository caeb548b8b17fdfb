// What the scripts of TypeScript clients share.
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const root = resolve(import.meta.dirname, '../..');
const command = process.env.NUTPURSE_BINARY ?? join(root, 'target/debug/nutpurse');

// The packages lie below target/peers, not beside this file.
const require = createRequire(join(root, 'target/peers/node/package.json'));
export const load = (name) => import(pathToFileURL(require.resolve(name)).href);

// The binary with a fresh empty home, gone at the end.
export function server() {
  const home = mkdtempSync(join(tmpdir(), 'nutpurse-'));
  process.on('exit', () => rmSync(home, { recursive: true, force: true }));
  return { command, args: [], env: { PATH: process.env.PATH, NUTPURSE_HOME: home, NUTPURSE_KEYRING: 'off' } };
}

// Prints what holds, or ends the script saying what does not.
export function holds(condition, what, seen) {
  if (condition) return console.log(`ok ${what}`);
  console.log(`FAILED ${what}: ${JSON.stringify(seen)}`);
  process.exit(1);
}

// What any client of the wallet does first: it lists, calls, and is told of a failure in the failure's own words.
export async function firstSteps(client, name) {
  const { tools } = await client.listTools();
  holds(tools.length === 13 && tools.every((tool) => tool.outputSchema), `${name}: lists`, tools);
  const balance = await client.callTool({ name: 'get_balance', arguments: {} });
  holds(!balance.isError && balance.structuredContent.spendable_sats === 0, `${name}: get_balance, checked against its schema`, balance);
  const result = await client.callTool({ name: 'get_payment', arguments: { payment_id: 'pay_none' } });
  const error = JSON.parse(result.content[0].text);
  holds(result.isError && error.money_moved === 'no', `${name}: a failure keeps its words (${error.error})`, result);
}
