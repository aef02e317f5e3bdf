"""FastMCP's client and server in one process, with FastMCP's own spans: a tool, a resource, a prompt, a failure.

usage: mcp_server.py OPENAI_URL
"""

import asyncio
import contextlib

from common import exporting_provider, weather
from fastmcp import Client, FastMCP
from fastmcp.exceptions import ToolError

provider = exporting_provider()
server = FastMCP("travel")
server.tool(weather, name="get_weather")


@server.tool
def broken(city: str) -> str:
    raise ToolError("you broke it")


@server.resource("guide://paris")
def guide() -> str:
    return "Paris is mild."


@server.prompt
def plan(city: str) -> str:
    return f"Plan a trip to {city}."


async def main():
    with provider.get_tracer("travel").start_as_current_span("travel"):
        async with Client(server) as client:
            await client.list_tools()
            await client.call_tool("get_weather", {"city": "Paris"})
            await client.read_resource("guide://paris")
            await client.get_prompt("plan", {"city": "Paris"})
            with contextlib.suppress(ToolError):
                await client.call_tool("broken", {"city": "Paris"})


asyncio.run(main())
provider.shutdown()
