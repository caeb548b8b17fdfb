"""A wallet on relays as sixty-nuts keeps it. Prints what it makes of it, as JSON; runs in its own Python.

    sixty_client.py KEY RELAY MINT read            opens the wallet and shows it
    sixty_client.py KEY RELAY MINT make TOKEN...   makes a wallet, and takes each token in
    sixty_client.py KEY RELAY MINT send SATS       sends so much of it as a token
"""

import asyncio
import contextlib
import json
import os
import sys
import tempfile

from sixty_nuts import Wallet


async def main(key, relay, mint, what, *rest):
    # With fewer than two relays it asks public ones for more; it does not see that these are the same.
    wallet = await Wallet.create(key, mint_urls=[mint], relay_urls=[relay, relay + "/"], auto_init=False, prompt_for_relays=False)
    token = error = None
    async with wallet:
        if what == "make":
            await wallet.event_manager.initialize_wallet(wallet._generate_wallet_privkey())
            for one in rest:
                await wallet.redeem(one)
        if what == "send":
            try:
                token = await wallet.send(int(rest[0]), mint_url=mint)
            except Exception as failed:
                error = f"{type(failed).__name__}: {failed}"
        # What it publishes is queued, and goes half a second later.
        await asyncio.sleep(2)
        state = await wallet.fetch_wallet_state(check_proofs=True, check_local_backups=False)
        sats = sum(proof["amount"] for proof in state.proofs)
        secrets = sorted({len(proof["secret"]) for proof in state.proofs})
    return {"me": wallet.pubkey, "sats": sats, "secrets": secrets, "key": wallet.wallet_privkey is not None, "token": token, "error": error}


# It talks on the standard output, and keeps copies of coins in the folder it runs in.
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    with contextlib.redirect_stdout(sys.stderr):
        shown = asyncio.run(main(*sys.argv[1:]))
    os.chdir("/")
print(json.dumps(shown))
