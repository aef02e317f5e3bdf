"""Anthropic's messages: one text or one tool use."""

from kit.fake_words import ANSWER, ARGUMENTS, INPUT_TOKENS, OUTPUT_TOKENS, TOOL


def message(asked):
    last = asked["messages"][-1]["content"]
    observed = isinstance(last, list) and any(block["type"] == "tool_result" for block in last)
    wants_tool = bool(asked.get("tools")) and not observed
    call = {"type": "tool_use", "id": "toolu_1", "name": TOOL, "input": ARGUMENTS}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": asked["model"] + "-2026",
        "content": [call if wants_tool else {"type": "text", "text": ANSWER}],
        "stop_reason": "tool_use" if wants_tool else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS},
    }
