"""The wallet on relays beside sixty-nuts: what each can read of the other, and that nothing of ours is lost by it.

The relay is `nostr-relay` of PyPI, the mint Nutshell. sixty-nuts writes the secret of a coin as base64 of what its hex stands for, and reads
every secret so; NIP-60 has it as the mint signed it. So neither can spend what the other wrote. It knows no nutzaps: it writes no list of where
they are taken (kind 10019), and locks to no key.
"""

import contextlib
import secrets

from common import ROOT, holds, ok, run
from nostr import Devices, bank_and_ours, comes_to_hold, device, kept, nostr_relay, program_of, spendable, synced
from nutshell import call, invoice, nutshell, owed

NAME = "sixty-nuts 0.1.4"


async def sixty(key, relay, mint, *line):
    """What sixty-nuts makes of a wallet."""
    python = ROOT / "target/peers/sixty-nuts/bin/python"
    client = ROOT / "tests/peers/sixty_client.py"
    return await program_of(f"{NAME} {line[0]}", python, client, key, relay, mint, *line, seconds=90)


async def session(relay, events, mint, database):
    async with contextlib.AsyncExitStack() as stack:
        devices = Devices(stack)
        # Ours wrote it.
        bank, key, ours = await bank_and_ours(devices, relay, mint, 500)
        shown = await sixty(key, relay, mint, "read")
        holds(shown["sats"] == 300 and shown["key"], f"{NAME} opens a wallet that ours wrote, finds its key, and shows 300", shown)
        holds(shown["secrets"] == [96], "by its own fault it takes secrets of 64 letters for others of 96", shown["secrets"])
        sent = await sixty(key, relay, mint, "send", 40)
        if sent["token"]:
            refused = await bank.call_tool("receive_token", {"token": sent["token"]})
            holds(refused.is_error, f"so the mint takes no coin of a token that {NAME} sends", refused.content[0].text)
        else:
            ok(f"so {NAME} cannot spend from it ({sent['error'][:80]})")
        await comes_to_hold(ours, 300, "ours loses nothing by what it wrote and deleted")
        paid = await call(ours, "pay", to=invoice(20))
        holds(paid["state"] == "settled", f"and pays 20 (fee {paid['fee_sats']})", paid)

        # sixty-nuts wrote it.
        theirs = secrets.token_hex(32)
        token = (await call(bank, "send_token", amount_sats=100))["token"]
        made = await sixty(theirs, relay, mint, "make", token)
        there = owed(database) - await spendable(bank) - await spendable(ours)
        holds(made["sats"] == there, f"{NAME} makes a wallet of {there}", made)
        sent = await sixty(theirs, relay, mint, "send", 30)
        came = await call(bank, "receive_token", token=sent["token"])
        ok(f"{NAME} sends 30 of its own, {came['received_sats']} arrive")
        holds(not has(events, 10019, made["me"]), f"{NAME} says nowhere where it takes nutzaps", made)
        second = await devices.open(device(mint, relay, theirs))
        await call(second, "sync")
        seen = await spendable(second)
        paid = await second.call_tool("pay", {"to": invoice(20)})
        holds(paid.is_error, f"ours opens it, and cannot spend the {seen} that it shows: {paid.content[0].text[:60]}", paid.content[0].text)
        held = owed(database) - await spendable(bank) - await spendable(ours)
        shown = await sixty(theirs, relay, mint, "read")
        holds(shown["sats"] == held, f"and {NAME} loses nothing by ours: {held}", shown)


def has(database, kind, key):
    with contextlib.suppress(TypeError):
        return bool(kept(database, kind, key))
    return False


async def main():
    # It knows the older kind of keysets alone.
    with nutshell(0, VERSION="0.19.2") as (mint, owing), nostr_relay() as (relay, events):
        await session(relay, events, mint, owing)


if __name__ == "__main__":
    run(main())
