"""One wallet on several devices, over a Nostr relay written by others, at a mint written by others; and the same wallet in NDK.

The relay is `nostr-relay` of PyPI, the mint Nutshell. NDK opens what ours wrote, and ours what NDK wrote: two generations of NDK, the
newest and the one that mcp-money is built on. After each step, what is seen is compared with what the mint's database owes.

More rounds of the storm: ROUNDS=200. Every tenth event that the relay has taken is gone from its database soon after.
"""

import asyncio
import collections
import contextlib
import json
import os
import random
import secrets
import signal
import socket
import sqlite3
import subprocess
import time

import mcp

from common import BINARY, ROOT, empty_folder, environment, fail, holds, home, ok, run
from nutshell import ask, call, invoice, nutshell, owed

ROUNDS = int(os.environ.get("ROUNDS", "10"))
SEED = int(os.environ.get("SEED", secrets.randbelow(1 << 32)))
NODE = ROOT / "target/peers/node/node_modules/.bin/node"
GENERATIONS = {"ndk": "NDK wallet 1.0.0", "ndk-wallet": "ndk-wallet 0.6.2"}

# What its defaults would refuse: events of more than 4,096 letters, and times that it calls old.
RELAY = """
relay_name: a peer
max_event_size: 131072
storage:
  sqlalchemy.url: sqlite+aiosqlite:///{database}
  validators:
    - nostr_relay.validators.is_not_too_large
    - nostr_relay.validators.is_signed
gunicorn:
  bind: 127.0.0.1:{port}
  workers: 1
"""


@contextlib.contextmanager
def nostr_relay():
    """A relay on a free loopback port, and its database."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = empty_folder()
    (folder / "relay.yaml").write_text(RELAY.format(database=folder / "nostr.sqlite3", port=port))
    log = open(folder / "log", "w")
    program = [ROOT / "target/peers/relay/bin/nostr-relay", "-c", "relay.yaml", "serve"]
    relay = subprocess.Popen(program, cwd=folder, stdout=log, stderr=log)
    try:
        for _ in range(150):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if relay.poll() is not None:
                fail("the relay ended", (folder / "log").read_text()[-2000:])
            time.sleep(0.2)
        else:
            fail("the relay answers within half a minute", (folder / "log").read_text()[-2000:])
        yield f"ws://127.0.0.1:{port}", folder / "nostr.sqlite3"
    finally:
        relay.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            relay.wait(10)
        relay.kill()


def program(folder, *line, **more):
    """A command line, as a person runs it."""
    return subprocess.run([BINARY, *line], env=environment(folder) | more, capture_output=True, text=True, timeout=60)


def device(mint, relay, nsec):
    """A folder whose keys were made by `init` with the Nostr key in the environment, this once."""
    folder = home(mint)
    settings = folder / "config.toml"
    text = settings.read_text().replace(f'allow = ["{mint}"]', f'allow = ["{mint}", "{relay}"]')
    settings.write_text(text + f'[nostr]\nrelays = ["{relay}"]\n')
    made = program(folder, "init", NUTPURSE_NSEC=nsec)
    if made.returncode != 0:
        fail("init with a Nostr key", made.stderr)
    return folder


class Devices:
    """The wallets of a session, each an MCP server; what keeps them ends with it."""

    def __init__(self, stack):
        self.stack = stack

    async def open(self, folder):
        self.stack.callback(program, folder, "stop")
        return await self.stack.enter_async_context(mcp.Client(mcp.StdioServerParameters(command=BINARY, env=environment(folder))))


async def spendable(wallet):
    return (await call(wallet, "get_balance"))["spendable_sats"]


async def synced(wallet):
    """Syncs until the relay lacks nothing: a sync that finds it behind brings it what it lacks, and only the next one sees it there."""
    for _ in range(3):
        seen = await call(wallet, "sync")
        if seen["state"] == "synced":
            break
    else:
        fail("sync reaches the relay", seen)
    return seen


async def fund(wallet, sats):
    deposit = await call(wallet, "deposit", amount_sats=sats)
    deposit = await call(wallet, "get_deposit", deposit_id=deposit["deposit_id"], wait_seconds=45)
    if deposit["state"] != "received":
        fail("deposit", deposit)


async def program_of(name, *command, seconds=60):
    """What another wallet's program prints, which is JSON. `name` is how the wallet is called."""
    process = await asyncio.create_subprocess_exec(*map(str, command), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = await asyncio.wait_for(process.communicate(), seconds)
    except TimeoutError:
        process.kill()
        fail(f"{name} ends within {seconds} s")
    if process.returncode != 0:
        fail(name, err.decode()[-3000:])
    return json.loads(out)


async def ndk(generation, key, relay, *line):
    """What NDK makes of a wallet."""
    return await program_of(f"{GENERATIONS[generation]} {line[0]}", NODE, ROOT / "tests/peers/ndk.mjs", generation, key, relay, *line)


async def bank_and_ours(devices, relay, mint, sats):
    """A wallet without relays that has plenty, the Nostr key of another, and that one, which holds 300 and has told its relay."""
    bank, key = await devices.open(home(mint)), secrets.token_hex(32)
    await fund(bank, sats)
    ours = await devices.open(device(mint, relay, key))
    await fund(ours, 300)
    await synced(ours)
    return bank, key, ours


async def comes_to_hold(wallet, want, what):
    """Syncs until a wallet holds so much and its relay lacks nothing."""
    for _ in range(20):
        seen = await call(wallet, "sync")
        if (got := await spendable(wallet)) == want and seen["state"] == "synced":
            return ok(f"{what}: {want}")
    fail(what, (got, want, seen))


async def show_the_same(what, relay, key, mint, sight):
    """NDK shows exactly this at this mint, and nothing at another; what it showed last."""
    for generation in GENERATIONS:
        shown = await ndk(generation, key, relay, "read")
        holds(shown["balances"] == {mint: sight}, f"{what}: {GENERATIONS[generation]} shows {sight}", shown)
    return shown


async def two_devices(devices, relay, mint, database):
    """What one device receives the other sees and spends; NDK shows the same all along."""
    key = secrets.token_hex(32)
    folders = [device(mint, relay, key) for _ in range(2)]
    found = program(folders[0], "doctor")
    holds(found.returncode == 0 and "in order" in found.stdout, "doctor finds a folder made with NUTPURSE_NSEC in order", found)
    a, b = [await devices.open(folder) for folder in folders]
    await fund(a, 500)
    first = await synced(a)
    names = [(await call(wallet, "get_balance"))["nostr"]["npub"] for wallet in (a, b)]
    holds(names[0] == names[1], "both homes have the key that was taken over", names)
    seen = await synced(b)
    holds(await spendable(b) == 500, "B sees the 500 that A was paid", (first, seen))
    await show_the_same("a wallet that ours wrote", relay, key, mint, 500)
    paid = await call(b, "pay", to=invoice(120))
    holds(paid["state"] == "settled", f"B pays 120 (fee {paid['fee_sats']})", paid)
    await synced(b)
    seen = await synced(a)
    rest = owed(database)
    holds((await spendable(a), await spendable(b)) == (rest, rest), f"after a payment of B both see the {rest} that the mint owes", seen)
    await show_the_same("after a payment of ours", relay, key, mint, rest)

    # NDK spends from what ours wrote; a stranger takes it.
    other = await devices.open(home(mint))
    held, taken = rest, 0
    for generation, name in GENERATIONS.items():
        sent = await ndk(generation, key, relay, "send", 40)
        came = await call(other, "receive_token", token=sent["token"])
        taken += came["received_sats"]
        for wallet in (a, b):
            await synced(wallet)
        views, left = [await spendable(a), await spendable(b)], owed(database) - taken
        holds(views == [left, left] and left <= held - 40, f"{name} sends 40 of it: both of ours see the {left} left of {held}", (views, sent))
        held = left
        await show_the_same(f"after {name} has sent", relay, key, mint, left)
    return taken + held


def kept(database, kind, key):
    """The newest event of a kind that the relay keeps of a key: its id and its tags."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        query = "select hex(id), tags from events where kind = ? and hex(pubkey) = ? order by created_at desc, id limit 1"
        event, tags = connection.execute(query, (kind, key.upper())).fetchone()
        return event, json.loads(tags)


async def theirs(devices, generation, relay, events, mint, database, before):
    """Ours opens a wallet that NDK wrote, spends from it, and NDK shows the rest. What is held at its end."""
    name, key = GENERATIONS[generation], secrets.token_hex(32)
    bank = await devices.open(home(mint))
    await fund(bank, 300)
    tokens = [(await call(bank, "send_token", amount_sats=sats))["token"] for sats in (130, 70)]
    made = await ndk(generation, key, relay, "make", mint, *tokens)
    there, in_bank = made["balances"].get(mint, 0), await spendable(bank)
    holds(there == owed(database) - before - in_bank > 190, f"{name} makes a wallet of {there}, in {made['events']} events", made)
    wrote, lists = kept(events, 17375, made["me"]), kept(events, 10019, made["me"])

    folder = device(mint, relay, key)
    ours = await devices.open(folder)
    seen = await synced(ours)
    holds(await spendable(ours) == there, f"ours opens it: {there}", seen)
    paid = await call(ours, "pay", to=invoice(55))
    holds(paid["state"] == "settled", f"ours pays 55 from it (fee {paid['fee_sats']})", paid)
    await synced(ours)
    left = owed(database) - before - in_bank
    holds(await spendable(ours) == left, f"ours shows the {left} that are left", left)
    shown = await show_the_same("ours has paid from it", relay, key, mint, left)
    holds(kept(events, 17375, made["me"]) != wrote, "ours has written the wallet anew", wrote)
    holds(set(made["pubkeys"]) <= set(shown["pubkeys"]), f"and kept the keys that were in it: {len(made['pubkeys'])}", shown)
    keys = [tag[1] for tag in kept(events, 10019, made["me"])[1] if tag[0] == "pubkey"]
    before_that = [tag[1] for tag in lists[1] if tag[0] == "pubkey"]
    # NDK writes the key's x alone, ours as others lock to it.
    same = [key[-64:] for key in keys] == [key[-64:] for key in before_that]
    holds(same and keys[0][-64:] in made["pubkeys"], "nutzaps are still asked for with its key", (keys, before_that))
    return in_bank + left


async def lose(events):
    """Takes every tenth event out of the relay's database again. The relay has said that it keeps it."""
    seen, lost = set(), 0
    with contextlib.closing(sqlite3.connect(events, timeout=20, isolation_level=None)) as connection:
        while True:
            for (event,) in connection.execute("select id from events order by created_at, id").fetchall():
                if event in seen:
                    continue
                seen.add(event)
                if len(seen) % 10 == 0:
                    connection.execute("delete from tags where id = ?", (event,))
                    connection.execute("delete from events where id = ?", (event,))
                    lost += 1
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                return lost


def alone(folder):
    """The binary with the wallet inside of it, so that a kill hits the wallet. Its process id is in a file."""
    line = f'echo $$ > "{folder}/pid"; exec "{BINARY}" --in-process'
    return mcp.StdioServerParameters(command="/bin/sh", args=["-c", line], env=environment(folder))


async def play(folder, draw, barrier, rounds, told):
    """One device's part: in each round it pays a little, with luck unharmed."""
    done = starts = 0
    while done < rounds:
        starts += 1
        if starts > rounds + 5:
            fail("the wallet starts again after a kill")
        with contextlib.suppress(Exception):
            async with mcp.Client(alone(folder)) as wallet:
                while done < rounds:
                    await barrier.wait()
                    done += 1
                    await asyncio.sleep(draw.uniform(0, 0.015))
                    if draw.random() < 0.25:
                        await wallet.call_tool("sync", {})
                    paying = asyncio.create_task(wallet.call_tool("pay", {"to": invoice(draw.randint(1, 20))}))
                    if draw.random() < 0.12:
                        await asyncio.sleep(draw.uniform(0, 0.06))
                        os.kill(int((folder / "pid").read_text()), signal.SIGKILL)
                        told["killed"] += 1
                        # A client may wait for ever for a server that has died.
                        await asyncio.wait([paying], timeout=2)
                        paying.cancel()
                        break
                    answer = await paying
                    told[json.loads(answer.content[0].text)["error"] if answer.is_error else answer.structured_content["state"]] += 1
                    if draw.random() < 0.25:
                        await wallet.call_tool("sync", {})


async def at_rest(wallet):
    """Waits until nothing of it is open; what it has paid. A payment killed before its mint heard of it ends after a minute."""
    for _ in range(300):
        entries = (await call(wallet, "list_history", kind="payment", limit=500))["entries"]
        balance = await call(wallet, "get_balance")
        if balance["pending_sats"] == 0 and all(entry["state"] != "pending" for entry in entries):
            return [entry for entry in entries if entry["state"] == "settled"]
        await asyncio.sleep(0.5)
    fail("nothing stays open", (balance, [entry for entry in entries if entry["state"] == "pending"]))


async def storm(mint, database, rounds):
    """Two devices pay at once, are killed, and the relay forgets: nothing is lost, nothing paid twice, and both see the same."""
    before, melted = owed(database), ask(database, "select sum(amount) from melt_quotes where state = 'PAID'")
    with nostr_relay() as (relay, events):
        key, told = secrets.token_hex(32), collections.Counter()
        folders = [device(mint, relay, key) for _ in range(2)]
        loser = asyncio.create_task(lose(events))
        async with mcp.Client(alone(folders[0])) as wallet:
            # Only A receives: whatever B pays it first takes from what A holds, while A pays.
            await fund(wallet, 30 * rounds)
            await call(wallet, "sync")
        begun, barrier = time.monotonic(), asyncio.Barrier(2)
        await asyncio.gather(*(play(folder, random.Random(SEED + place), barrier, rounds, told) for place, folder in enumerate(folders)))
        loser.cancel()
        lost = await loser
        shown = ", ".join(f"{what} {count}" for what, count in sorted(told.items()))
        ok(f"{rounds} rounds in {time.monotonic() - begun:.0f} s, the relay lost {lost} events: {shown}")
        async with mcp.Client(alone(folders[0])) as a, mcp.Client(alone(folders[1])) as b:
            for wallet in (a, b):
                await call(wallet, "sync")
            settled = [entry for wallet in (a, b) for entry in await at_rest(wallet)]
            for wallet in (a, b) * 2:
                await call(wallet, "sync")
            views, debt = [await spendable(a), await spendable(b)], owed(database) - before
            holds(views == [debt, debt], f"after two syncs both see the {debt} that the mint owes", (views, debt))
        paid = ask(database, "select sum(amount) from melt_quotes where state = 'PAID'") - melted
        said = sum(entry["amount_sats"] for entry in settled)
        holds(said == paid, f"{len(settled)} payments of {said} in all, and the mint has paid that", paid)
        twice = ask(database, "select count(*) - count(distinct request) from melt_quotes where state = 'PAID'")
        holds(twice == 0, "no invoice was paid twice", twice)


async def main():
    ok(f"SEED={SEED}")
    # NDK's cashu-ts takes no coins of the mint's newest kind of keyset: this mint's is as of a version that knew only the older kind.
    with nutshell(0, VERSION="0.19.2") as (mint, owing):
        with nostr_relay() as (relay, events):
            async with contextlib.AsyncExitStack() as stack:
                devices = Devices(stack)
                before = await two_devices(devices, relay, mint, owing)
                for generation in GENERATIONS:
                    before += await theirs(devices, generation, relay, events, mint, owing, before)
        await storm(mint, owing, ROUNDS)


if __name__ == "__main__":
    run(main())
