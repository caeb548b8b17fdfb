// A wallet on relays as NDK keeps it. Prints what NDK makes of it, as JSON.
//
//   ndk.mjs GENERATION KEY RELAY read                  opens the wallet and shows it
//   ndk.mjs GENERATION KEY RELAY make MINT TOKEN...    makes a wallet, and takes each token in as an event of its own
//   ndk.mjs GENERATION KEY RELAY send SATS             opens the wallet and sends so much of it as a token
//
// GENERATION: `ndk` (@nostr-dev-kit/wallet) or `ndk-wallet` (@nostr-dev-kit/ndk-wallet), folders below target/peers.
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [generation, key, relay, what, ...rest] = process.argv.slice(2);
const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// NDK talks on the standard output.
const print = console.log;
console.log = console.info = console.debug = console.error;
// It leaves promises of publishing alone; what went wrong there is to be seen.
process.on('unhandledRejection', (error) => console.error('unhandled', error));

const peer = resolve(import.meta.dirname, '../../target/peers', generation, 'peer.js');
const { NDK, NDKCashuMintList, NDKCashuWallet, NDKPrivateKeySigner, getEncodedToken } = await import(pathToFileURL(peer).href);

const ndk = new NDK({ explicitRelayUrls: [relay], signer: new NDKPrivateKeySigner(key), enableOutboxModel: false });
const me = await ndk.signer.user();
ndk.activeUser = me;
await ndk.connect(3000);
// One that is not connected yet is written to, and nobody waits for it.
for (let tries = 0; ndk.pool.connectedRelays().length === 0; tries++) {
  if (tries === 100) throw new Error('NDK does not connect');
  await wait(50);
}

// Decrypting goes on after the end of what is stored: the wallet is read once its sum stays the same.
async function settled(wallet) {
  await wallet.start();
  for (let last, same = 0; same < 8; await wait(50)) {
    const now = JSON.stringify([wallet.mintBalances, wallet.state.tokens.size]);
    same = now === last ? same + 1 : 0;
    last = now;
  }
}

async function open() {
  const event = await ndk.fetchEvent({ kinds: [17375], authors: [me.pubkey] });
  if (!event) throw new Error('NDK finds no wallet');
  const wallet = await NDKCashuWallet.from(event);
  await settled(wallet);
  return wallet;
}

async function make(mint, tokens) {
  let wallet;
  if (generation === 'ndk') {
    wallet = await NDKCashuWallet.create(ndk, [mint], [relay]);
    await wallet.publishMintList();
  } else {
    // As mcp-money does it; with a second key, as a wallet has that was moved here.
    wallet = new NDKCashuWallet(ndk);
    wallet.mints = [mint];
    await wallet.getP2pk();
    await wallet.addPrivkey(NDKPrivateKeySigner.generate().privateKey);
    await wallet.publish();
    const list = new NDKCashuMintList(ndk);
    list.mints = wallet.mints;
    list.p2pk = wallet.p2pk;
    await list.publish();
  }
  await settled(wallet);
  for (const token of tokens) await wallet.receiveToken(token);
  return wallet;
}

function shown(wallet) {
  return {
    me: me.pubkey,
    mints: wallet.mints,
    balances: wallet.mintBalances,
    events: wallet.state.getTokens().size,
    pubkeys: [...wallet.privkeys.keys()],
  };
}

let token;
let wallet;
if (what === 'make') {
  wallet = await make(rest[0], rest.slice(1));
} else {
  wallet = await open();
  if (what === 'send') {
    const { proofs, mint } = await wallet.cashuPay({ amount: Number(rest[0]), unit: 'sat' });
    token = getEncodedToken({ mint, proofs });
  }
}
// What it publishes it does not wait for.
if (what !== 'read') await wait(1500);
print(JSON.stringify({ ...shown(wallet), token }));
process.exit(0);
