"""The Python clients: `mcp` in each way of agreeing on a version, and `fastmcp`. No home, no network, no settings."""

import fastmcp
import mcp
from fastmcp.client.transports import StdioTransport

from common import BINARY, empty_folder, environment, error_of, holds, run

TOOLS = 13


async def with_mcp(mode):
    server = mcp.StdioServerParameters(command=BINARY, env=environment(empty_folder()))
    async with mcp.Client(server, mode=mode) as client:
        tools = (await client.list_tools()).tools
        holds(len(tools) == TOOLS and all(tool.output_schema for tool in tools), f"mcp {mode} ({client.protocol_version}): lists", tools)
        # The client checks the answer against the tool's output schema.
        balance = await client.call_tool("get_balance", {})
        holds(not balance.is_error and balance.structured_content["spendable_sats"] == 0, f"mcp {mode}: get_balance", balance)
        error = error_of(await client.call_tool("get_payment", {"payment_id": "pay_none"}))
        holds(error["money_moved"] == "no", f"mcp {mode}: a failure keeps its words", error)


async def with_fastmcp():
    transport = StdioTransport(command=BINARY, args=[], env=environment(empty_folder()))
    async with fastmcp.Client(transport) as client:
        tools = await client.list_tools()
        holds(len(tools) == TOOLS, "fastmcp: lists", tools)
        balance = await client.call_tool("get_balance", {})
        holds(balance.structured_content["spendable_sats"] == 0, "fastmcp: get_balance", balance)


async def main():
    for mode in ("auto", "legacy", "2026-07-28"):
        await with_mcp(mode)
    await with_fastmcp()


run(main())
