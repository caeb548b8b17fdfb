"""Whatever comes in, what goes out on standard output is JSON-RPC, a message a line."""

import json
import subprocess

from common import BINARY, empty_folder, environment, holds

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


def request(number, method, **params):
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})


def call(number, tool, **arguments):
    return request(number, "tools/call", name=tool, arguments=arguments)


HELLO = request(1, "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "noisy", "version": "1"})
NOISE = [
    "",
    "   ",
    "not json",
    "{",
    '{"jsonrpc":"2.0"}',
    "[]",
    "null",
    '"text"',
    "\x00\x01\x02",
    '{"jsonrpc":"1.0","id":9,"method":"ping"}',
    "[" * 2000,
    json.dumps({"jsonrpc": "2.0", "method": "notifications/nobody"}),
    json.dumps({"jsonrpc": "2.0", "id": 77, "result": {}}),
]
SESSION = [
    *NOISE,
    json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}),
    request(2, "server/discover", _meta=META),
    HELLO,
    json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}),
    *NOISE,
    request(3, "tools/list"),
    call(4, "get_balance"),
    call(5, "list_mints", surprise=True),
    call(6, "pay", to="lnbc1nonsense", amount_sats=-5),
    call(7, "receive_token", token="cashuBnonsense"),
    call(8, "get_rich"),
    call(9, "list_history", format="csv"),
    request(10, "resources/read", uri="wallet://keys"),
    request(11, "no/such/method"),
    request(12, "tools/list", _meta=META),
]

environment = environment(empty_folder()) | {"NUTPURSE_LOG": "trace", "RUST_LOG": "trace", "RUST_BACKTRACE": "full"}
done = subprocess.run([BINARY], input="\n".join(SESSION) + "\n", env=environment, capture_output=True, text=True, timeout=120)
holds(done.returncode == 0, "a noisy session ends in order", (done.returncode, done.stderr[-2000:]))
lines = done.stdout.splitlines()
for line in lines:
    message = json.loads(line)
    # An error about a line that has no readable id has none itself; MCP's schema does not allow null.
    is_message = message.get("jsonrpc") == "2.0" and bool({"id", "method", "error"} & message.keys()) and message.get("id", 0) is not None
    if not is_message:
        holds(False, "every line is JSON-RPC", line)
holds(lines, f"all {len(lines)} lines are JSON-RPC")
answered = {json.loads(line).get("id") for line in lines}
holds(set(range(1, 13)) <= answered, "every request is answered", sorted(map(str, answered)))
holds("cashuB" not in done.stderr, "no token in the log", done.stderr[:500])
