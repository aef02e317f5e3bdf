"""What every fake model says and counts, whatever its API."""

ANSWER = "It is sunny in Paris."
TOOL = "get_weather"
ARGUMENTS = {"city": "Paris"}
INPUT_TOKENS, OUTPUT_TOKENS = 11, 7
