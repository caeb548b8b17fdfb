"""The wallet on relays beside applesauce-wallet: each opens what the other wrote and spends from it, and sends the other a nutzap.

The relay is `nostr-relay` of PyPI, the mint Nutshell. After each step, what is seen is compared with what the mint's database owes. It is
printed in which form each writes the key that nutzaps are locked to, and in which form it locks.
"""

import asyncio
import contextlib
import json
import secrets

from common import ROOT, holds, ok, run
from nostr import NODE, Devices, bank_and_ours, comes_to_hold, device, kept, nostr_relay, program_of, spendable, synced
from nutshell import call, invoice, nutshell, owed

NAME = "applesauce-wallet 6.2.0"


async def applesauce(key, relay, *line):
    """What applesauce makes of a wallet."""
    return await program_of(f"{NAME} {line[0]}", NODE, ROOT / "tests/peers/applesauce.mjs", key, relay, *line)


def form(key):
    """How a key is written."""
    return f"{len(key)} letters" + (f", {key[:2]}.." if len(key) == 66 else "")


async def session(relay, events, mint, database):
    async with contextlib.AsyncExitStack() as stack:
        devices = Devices(stack)
        # Ours wrote it.
        bank, key, ours = await bank_and_ours(devices, relay, mint, 1_000)
        shown = await applesauce(key, relay, "read")
        holds(shown["balances"] == {mint: 300}, f"{NAME} opens a wallet that ours wrote, and shows 300", shown)
        ok(f"ours writes the key of its nutzaps as {form(shown['key'])}")
        sent = await applesauce(key, relay, "send", 40)
        came = (await call(bank, "receive_token", token=sent["token"]))["received_sats"]
        left = owed(database) - await spendable(bank)
        await comes_to_hold(ours, left, f"{NAME} sends 40 of it ({came} arrive), ours shows what is left")
        shown = await applesauce(key, relay, "read")
        holds(shown["balances"] == {mint: left}, f"and so does {NAME}", shown)

        # Applesauce wrote it.
        theirs = secrets.token_hex(32)
        tokens = [(await call(bank, "send_token", amount_sats=sats))["token"] for sats in (130, 70)]
        made = await applesauce(theirs, relay, "make", mint, *tokens)
        there = owed(database) - await spendable(bank) - await spendable(ours)
        holds(made["balances"] == {mint: there}, f"{NAME} makes a wallet of {there}, in {made['events']} events", made)
        ok(f"{NAME} writes the key of its nutzaps as {form(made['key'])}")
        wrote = made["key"]
        second = await devices.open(device(mint, relay, theirs))
        await synced(second)
        holds(await spendable(second) == there, f"ours opens it: {there}", there)
        paid = await call(second, "pay", to=invoice(55))
        holds(paid["state"] == "settled", f"ours pays 55 from it (fee {paid['fee_sats']})", paid)
        await synced(second)
        rest = owed(database) - await spendable(bank) - await spendable(ours)
        holds(await spendable(second) == rest, f"ours shows the {rest} that are left", rest)
        shown = await applesauce(theirs, relay, "read")
        holds(shown["balances"] == {mint: rest}, f"and so does {NAME}", shown)
        holds(shown["key"][-64:] == wrote[-64:], "nutzaps are still asked for with its key", (shown["key"], wrote))

        # A nutzap from theirs to ours.
        me, before = (await applesauce(key, relay, "read"))["me"], await spendable(ours)
        # To a person it names nobody (`p` is empty: it takes its own object of the person for a key), so nobody can find it.
        zapped = await applesauce(theirs, relay, "nutzap", 4, me, "profile")
        lost = kept(events, 9321, zapped["me"])[1]
        holds(["p", ""] in lost, f"by its own fault {NAME} sends a nutzap of 4 to a person without saying to whom", lost)
        # The newest nutzap is looked at below: this one is of a later second than the one before.
        await asyncio.sleep(1)
        zapped = await applesauce(theirs, relay, "nutzap", 21, me)
        ok(f"{NAME} locks a nutzap to a key of {form(zapped['locked'][0])}")
        for _ in range(20):
            await synced(ours)
            if await spendable(ours) > before:
                break
        got = await spendable(ours) - before
        holds(20 <= got <= 21, f"its nutzap of 21 comes in: {got} after the mint's fee", (got, kept(events, 9321, zapped["me"])))

        # And from ours to theirs; ours over the same wallet does not run, lest it is taken in there.
        third = secrets.token_hex(32)
        made = await applesauce(third, relay, "make", mint, (await call(bank, "send_token", amount_sats=50))["token"])
        before = made["balances"][mint]
        zap = await call(ours, "zap", to=made["me"], amount_sats=30, via="nutzap")
        holds(zap["state"] == "settled", f"ours sends a nutzap of 30 to {NAME}", zap)
        [locked] = {json.loads(json.loads(tag[1])["secret"])[1]["data"] for tag in kept(events, 9321, me)[1] if tag[0] == "proof"}
        ok(f"ours locks a nutzap to a key of {form(locked)}")
        redeemed = await applesauce(third, relay, "redeem")
        got = redeemed["balances"][mint] - before
        holds(redeemed["redeemed"] == 1 and 28 <= got <= 30, f"{NAME} takes it in: {got}", redeemed)
        all_of_it = await spendable(bank) + await spendable(ours) + (await applesauce(theirs, relay, "read"))["balances"][mint]
        all_of_it += redeemed["balances"][mint] + 4
        holds(all_of_it == owed(database), f"in all {all_of_it} with the 4 that are lost, which is what the mint owes", (all_of_it, owed(database)))


async def main():
    # As in nostr.py: keysets of the older kind, which every client here knows.
    with nutshell(0, VERSION="0.19.2") as (mint, owing), nostr_relay() as (relay, events):
        await session(relay, events, mint, owing)


if __name__ == "__main__":
    run(main())
