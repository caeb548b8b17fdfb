"""Money at a mint written by others: Nutshell, with its fake Lightning.

The wallet runs as an MCP server under the Python client. After each step, what both wallets hold is compared with what the mint's
database owes: not one sat more or less.
"""

import contextlib
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.request

import mcp
from bolt11 import Bolt11, Feature, Features, FeatureState, MilliSatoshi, Tag, TagChar, Tags, encode

from common import BINARY, ROOT, empty_folder, environment, fail, holds, home, ok, run


@contextlib.contextmanager
def nutshell(delay, **more):
    """A mint on a free loopback port. `delay`: seconds that its Lightning takes, each way."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = empty_folder()
    settings = {
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
        "CASHU_DIR": str(folder),
        "MINT_PRIVATE_KEY": secrets.token_hex(32),
        "MINT_BACKEND_BOLT11_SAT": "FakeWallet",
        "MINT_LISTEN_HOST": "127.0.0.1",
        "MINT_LISTEN_PORT": str(port),
        "MINT_DATABASE": str(folder / "mint"),
        "MINT_INPUT_FEE_PPK": "100",
        "MINT_RATE_LIMIT": "FALSE",
        "FAKEWALLET_BRR": "TRUE",
        "FAKEWALLET_DELAY_INCOMING_PAYMENT": str(delay),
        "FAKEWALLET_DELAY_OUTGOING_PAYMENT": str(delay),
        "TOR": "FALSE",
    } | more
    log = open(folder / "log", "w")
    mint = subprocess.Popen([ROOT / "target/peers/nutshell/bin/mint"], cwd=folder, env=settings, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{url}/v1/info", timeout=1).read()
                break
            if mint.poll() is not None:
                fail("Nutshell ended", (folder / "log").read_text()[-2000:])
            time.sleep(0.2)
        else:
            fail("Nutshell answers within a minute")
        yield url, folder / "mint" / "mint.sqlite3"
    finally:
        mint.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            mint.wait(10)
        mint.kill()


def ask(database, query):
    """One number out of the mint's database."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchone()[0] or 0


def owed(database):
    """What the mint owes: signed and handed out, less what came back."""
    signed = ask(database, "select sum(amount) from promises where c_ is not null")
    return signed - ask(database, "select sum(amount) from proofs_used")


def invoice(sats, msat=0):
    """An invoice of nobody: the fake Lightning pays all. `msat`: thousandths of a sat beside the sats."""
    tags = Tags([
        Tag(TagChar.features, Features.from_feature_list({Feature.payment_secret: FeatureState.supported})),
        Tag(TagChar.payment_hash, secrets.token_hex(32)),
        Tag(TagChar.payment_secret, secrets.token_hex(32)),
        Tag(TagChar.description, "a peer's test"),
        Tag(TagChar.expire_time, 3600),
    ])
    return encode(Bolt11(currency="bc", amount_msat=MilliSatoshi(sats * 1000 + msat), date=int(time.time()), tags=tags), secrets.token_hex(32))


async def call(wallet, tool, **arguments):
    """Calls a tool that must succeed."""
    result = await wallet.call_tool(tool, arguments)
    if result.is_error:
        fail(tool, result.content[0].text)
    return result.structured_content


async def conserved(what, database, wallets):
    """The law: what the wallets hold is what the mint owes."""
    sums = dict.fromkeys(["spendable_sats", "pending_sats", "unclaimed_sats", "incoming_sats"], 0)
    for wallet in wallets:
        balance = await call(wallet, "get_balance")
        for state in sums:
            sums[state] += balance[state]
    held = sums["spendable_sats"] + sums["pending_sats"] + sums["unclaimed_sats"]
    debt = owed(database)
    shown = ", ".join(f"{state.removesuffix('_sats')} {value}" for state, value in sums.items())
    holds(held == debt, f"{what}: {shown}; the mint owes {debt}", sums)
    return sums


async def session(delay):
    with nutshell(delay) as (mint, database):
        async with contextlib.AsyncExitStack() as stack:
            parts = [mcp.StdioServerParameters(command=BINARY, env=environment(home(mint))) for _ in range(2)]
            wallets = [await stack.enter_async_context(mcp.Client(part)) for part in parts]
            ours, theirs = wallets

            deposit = await call(ours, "deposit", amount_sats=1_000)
            deposit = await call(ours, "get_deposit", deposit_id=deposit["deposit_id"], wait_seconds=45)
            holds(deposit["state"] == "received" and deposit["money"] == "play", "deposit of 1,000", deposit)
            sums = await conserved("after the deposit", database, wallets)
            holds(sums["spendable_sats"] == 1_000, "all of it spendable", sums)

            bill = invoice(5)
            paid = await call(ours, "pay", to=bill)
            # This Lightning has no true receipts, and the wallet does not claim one.
            holds((paid["state"], paid["proof"]) == ("settled", "mint_word"), "pay 5, on the mint's word", paid)
            again = await call(ours, "pay", to=bill)
            holds(again["replayed"] and again["payment_id"] == paid["payment_id"], "pay again is a replay", again)
            melts = ask(database, "select count(*) from melt_quotes where state = 'PAID'")
            holds(melts == 1, "the mint saw one melt", melts)
            await conserved(f"after pay (fee {paid['fee_sats']})", database, wallets)

            # Mints round parts of a sat up or down; what the wallet says it paid is what the mint asked for.
            for sats, msat in [(0, 1), (1, 500)]:
                paid = await call(ours, "pay", to=invoice(sats, msat))
                asked = ask(database, "select amount from melt_quotes where state = 'PAID' order by rowid desc limit 1")
                told = (paid["state"], paid["amount_sats"])
                holds(told == ("settled", asked) and asked in (max(sats, 1), sats + 1), f"pay {sats * 1000 + msat} msat for {asked} sats", paid)
                await conserved(f"after {sats * 1000 + msat} msat (fee {paid['fee_sats']})", database, wallets)

            sent = await call(ours, "send_token", amount_sats=21)
            sums = await conserved(f"after send (fee {sent['fee_sats']})", database, wallets)
            holds(sums["unclaimed_sats"] >= 21, "the token is unclaimed", sums)
            received = await call(theirs, "receive_token", token=sent["token"])
            holds(received["state"] == "received", f"receive {received['received_sats']}", received)
            look = await call(ours, "get_payment", payment_id=sent["payment_id"])
            holds(look["claimed"] is True, "the sender sees it claimed", look)
            await conserved(f"after receive (fee {received['fee_sats']})", database, wallets)

            sent = await call(ours, "send_token", amount_sats=8)
            back = await call(ours, "reclaim_token", payment_id=sent["payment_id"])
            holds(back["state"] == "returned", f"take back 8 (fee {back['fee_sats']})", back)
            sums = await conserved("after reclaim", database, wallets)
            holds(sums["pending_sats"] + sums["unclaimed_sats"] + sums["incoming_sats"] == 0, "nothing is left open", sums)


if __name__ == "__main__":
    for seconds in (0, 1):
        ok(f"Nutshell, whose Lightning takes {seconds} s")
        run(session(seconds))
