"""OpenTelemetry's own instrumentation of OpenAI's client, content in log records, which are sent before the spans end.

usage: openai_v2_logs.py OPENAI_URL
"""

import sys

import openai
from common import QUESTION, SYSTEM, exporting_provider
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

provider = exporting_provider()
logs = LoggerProvider(resource=provider.resource)
logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
OpenAIInstrumentor().instrument(tracer_provider=provider, logger_provider=logs)
client = openai.OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0)
messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]

with provider.get_tracer("travel").start_as_current_span("travel"):
    client.chat.completions.create(model="gpt-4o-mini", messages=messages)
    logs.force_flush()
provider.shutdown()
logs.shutdown()
