"""DSPy traced by OpenInference: a prediction.

usage: dspy_program.py OPENAI_URL
"""

import os
import sys

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import dspy
from common import QUESTION, exporting_provider
from openinference.instrumentation import using_attributes
from openinference.instrumentation.dspy import DSPyInstrumentor

provider = exporting_provider()
DSPyInstrumentor().instrument(tracer_provider=provider)
dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=sys.argv[1], api_key="none", num_retries=0, cache=False))
with using_attributes(session_id="session-1", user_id="ada"):
    dspy.Predict("question -> answer")(question=QUESTION)
provider.shutdown()
