"""Gemini's generateContent: one text or one function call."""

from kit.fake_words import ANSWER, ARGUMENTS, INPUT_TOKENS, OUTPUT_TOKENS, TOOL


def content(asked, model):
    observed = any("functionResponse" in part for part in asked["contents"][-1]["parts"])
    wants_tool = bool(asked.get("tools")) and not observed
    part = {"functionCall": {"name": TOOL, "args": ARGUMENTS}} if wants_tool else {"text": ANSWER}
    return {
        "candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {
            "promptTokenCount": INPUT_TOKENS,
            "candidatesTokenCount": OUTPUT_TOKENS,
            "totalTokenCount": INPUT_TOKENS + OUTPUT_TOKENS,
        },
        "modelVersion": model + "-2026",
        "responseId": "response-1",
    }
