// A wallet on relays as applesauce-wallet keeps it. Prints what it makes of it, as JSON.
//
//   applesauce.mjs KEY RELAY read                        opens the wallet and shows it
//   applesauce.mjs KEY RELAY make MINT TOKEN...          makes a wallet that takes nutzaps, and takes each token in
//   applesauce.mjs KEY RELAY send SATS                   sends so much of it as a token
//   applesauce.mjs KEY RELAY nutzap SATS PUBKEY [profile]  sends so much of it as a nutzap for an event, or to a person
//   applesauce.mjs KEY RELAY redeem                      takes in the nutzaps that came
import { createRequire, registerHooks } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [key, relay, what, ...rest] = process.argv.slice(2);
const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
const print = console.log;
console.log = console.info = console.debug = console.error;

// It names one of its own files without its ending, as bundlers allow and Node does not.
registerHooks({
  resolve: (name, context, next) => next(name.endsWith('/__register__') ? `${name}.js` : name, context),
});
const require = createRequire(resolve(import.meta.dirname, '../../target/peers/applesauce/package.json'));
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { EventStore } = await load('applesauce-core');
const { RelayPool } = await load('applesauce-relay');
const { PrivateKeySigner } = await load('applesauce-signers');
const { NutWallet } = await load('applesauce-wallet/wallet');
const { AddNutzapInfoMint, AddNutzapInfoRelay, NutzapEvent, NutzapProfile, TokensOperation } = await load('applesauce-wallet/actions');

const signer = PrivateKeySigner.fromKey(key);
const pubkey = await signer.getPublicKey();
const pool = new RelayPool();
const eventStore = new EventStore();
const held = new Set();
const couch = {
  store: (token) => (held.add(token), () => held.delete(token)),
  clear: () => held.clear(),
  getAll: () => [...held],
  remove: (token) => held.delete(token),
};
const options = { pubkey, signer, pool, eventStore, couch, relays: [relay], autoUnlock: true };

let last = {};
function watch(wallet) {
  wallet.balance$.subscribe((balance) => (last.balances = balance));
  wallet.status$.subscribe((status) => (last.status = status));
  wallet.unlocked$.subscribe((unlocked) => (last.unlocked = unlocked));
  wallet.tokens$.subscribe((tokens) => (last.events = tokens?.length));
}

// It is read once it is unlocked and its sum stays the same.
async function settled() {
  for (let before, same = 0, tries = 0; same < 10; await wait(50)) {
    if (++tries > 400) throw new Error(`applesauce does not open the wallet: ${JSON.stringify(last)}`);
    const now = JSON.stringify(last);
    same = last.unlocked && last.balances && now === before ? same + 1 : 0;
    before = now;
  }
}

const asked = (filter) =>
  new Promise((done, failed) => {
    const found = [];
    pool.request([relay], filter).subscribe({ next: (event) => found.push(event), complete: () => done(found), error: failed });
  });
const keyOf = async (author) => {
  const [info] = await asked({ kinds: [10019], authors: [author] });
  if (info) eventStore.add(info);
  return info?.tags.find((tag) => tag[0] === 'pubkey')?.[1];
};

let token, locked, redeemed;
let wallet;
if (what === 'make') {
  wallet = new NutWallet(options);
  watch(wallet);
  await wallet.createWallet({ mints: [rest[0]], relays: [relay], privateKey: crypto.getRandomValues(new Uint8Array(32)) });
  await wallet.start();
  await settled();
  // Its list of where nutzaps are taken has the key alone so far.
  // Of two lists of one second a relay keeps either: each is to replace the one before.
  const another_second = () => new Promise((done) => setTimeout(done, 1_100));
  await another_second();
  await wallet.actions.run(AddNutzapInfoMint, { url: rest[0], units: ['sat'] });
  await another_second();
  await wallet.actions.run(AddNutzapInfoRelay, relay);
  for (const one of rest.slice(1)) await wallet.receiveToken(one);
} else {
  wallet = new NutWallet(options);
  watch(wallet);
  await wallet.start();
  await settled();
}
if (what === 'send') token = await wallet.sendToken(Number(rest[0]));
if (what === 'nutzap') {
  const written = await keyOf(rest[1]);
  const lock = written.length === 64 ? `02${written}` : written;
  await wallet.actions.run(
    TokensOperation,
    Number(rest[0]),
    async ({ selectedProofs, mint, cashuWallet }) => {
      const { keep, send } = await cashuWallet.ops.send(Number(rest[0]), selectedProofs).asP2PK({ pubkey: lock }).run();
      locked = [...new Set(send.map((proof) => JSON.parse(proof.secret)[1].data))];
      const made = { mint, proofs: send, unit: 'sat' };
      if (rest[2] === 'profile') await wallet.actions.run(NutzapProfile, rest[1], made);
      else await wallet.actions.run(NutzapEvent, (await asked({ kinds: [10019], authors: [rest[1]] }))[0], made);
      return { change: keep };
    },
    { couch, getCashuWallet: wallet.getCashuWallet },
  );
}
if (what === 'redeem') {
  const nutzaps = await asked({ kinds: [9321], '#p': [pubkey] });
  nutzaps.forEach((event) => eventStore.add(event));
  await wallet.receiveNutzaps(nutzaps);
  redeemed = nutzaps.length;
}
await settled();
print(JSON.stringify({ me: pubkey, ...last, key: await keyOf(pubkey), token, locked, redeemed }));
process.exit(0);
