"""What the scripts here share: the binary, homes for wallets, and counting."""

import asyncio
import atexit
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("NUTPURSE_BINARY", str(ROOT / "target/debug/nutpurse"))


def environment(home):
    """The environment of a wallet: its home, and no keyring."""
    return {"PATH": os.environ["PATH"], "NUTPURSE_HOME": str(home), "NUTPURSE_KEYRING": "off"}


def empty_folder():
    """A fresh empty folder, gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="nutpurse-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def home(mint):
    """A folder as its owner would write it: this one test mint, wide limits."""
    folder = empty_folder()
    (folder / "mints.toml").write_text(f'[[mint]]\nurl = "{mint}"\ntest = true\n')
    (folder / "config.toml").write_text(
        "[limits]\nper_payment_sats = 100_000\nper_day_sats = 1_000_000\nmax_fee_percent = 2.0\nmax_fee_floor_sats = 5\n"
        f'[network]\nallow = ["{mint}"]\n'
    )
    for file in folder.iterdir():
        file.chmod(0o600)
    return folder


def ok(what):
    """One thing that holds. The runner counts these lines."""
    print(f"ok {what}", flush=True)


def fail(what, seen=""):
    """Ends the script, saying what does not hold."""
    print(f"FAILED {what}: {seen}", flush=True)
    sys.exit(1)


def holds(condition, what, seen=""):
    """Prints what holds, or ends the script."""
    if not condition:
        fail(what, seen)
    ok(what)


def run(session):
    """Runs a session; a script that ends inside of it ends without a stack of traces."""
    try:
        asyncio.run(session)
    except* SystemExit:
        sys.exit(1)


def error_of(result):
    """The failure inside of a tool result: text alone, no structured content."""
    if not result.is_error or result.structured_content is not None:
        fail("a failure is text alone", result)
    return json.loads(result.content[0].text)
