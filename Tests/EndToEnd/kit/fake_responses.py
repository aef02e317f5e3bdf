"""OpenAI's Responses API: one message or one function call, whole or as a stream of events."""

import json

from kit.fake_words import ANSWER, ARGUMENTS, INPUT_TOKENS, OUTPUT_TOKENS, TOOL

USAGE = {
    "input_tokens": INPUT_TOKENS,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": OUTPUT_TOKENS,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
}


def item(asked):
    given = asked["input"] if isinstance(asked["input"], list) else []
    observed = any(part.get("type") == "function_call_output" for part in given)
    if asked.get("tools") and not observed:
        call = {"call_id": "call_1", "name": TOOL, "arguments": json.dumps(ARGUMENTS)}
        return {"type": "function_call", "id": "fc_1", "status": "completed"} | call
    content = [{"type": "output_text", "text": ANSWER, "annotations": [], "logprobs": []}]
    return {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": content}


def response(asked, **rest):
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1790000000,
        "status": "completed",
        "model": asked["model"] + "-2026",
        "output": [item(asked)],
        "usage": USAGE,
        "instructions": asked.get("instructions"),
        "tools": asked.get("tools", []),
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "error": None,
        "incomplete_details": None,
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
    } | rest


def events(asked):
    done = item(asked)
    position = {"item_id": done["id"], "output_index": 0}
    started = response(asked, status="in_progress", output=[], usage=None)
    steps = [("response.created", {"response": started})]
    if done["type"] == "message":
        part, position = done["content"][0], position | {"content_index": 0}
        steps += [
            ("response.output_item.added", {"output_index": 0, "item": done | {"content": []}}),
            ("response.content_part.added", position | {"part": part | {"text": ""}}),
            ("response.output_text.delta", position | {"delta": ANSWER, "logprobs": []}),
            ("response.output_text.done", position | {"text": ANSWER, "logprobs": []}),
            ("response.content_part.done", position | {"part": part}),
        ]
    else:
        arguments = {"arguments": done["arguments"], "name": done["name"]}
        steps += [
            ("response.output_item.added", {"output_index": 0, "item": done | {"arguments": ""}}),
            ("response.function_call_arguments.delta", position | {"delta": done["arguments"]}),
            ("response.function_call_arguments.done", position | arguments),
        ]
    steps += [
        ("response.output_item.done", {"output_index": 0, "item": done}),
        ("response.completed", {"response": response(asked)}),
    ]
    for number, (kind, step) in enumerate(steps):
        yield {"type": kind, "sequence_number": number} | step
