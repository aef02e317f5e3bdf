// Lines for each language and tool, made of what clients.json says of them: the one table that `millrace exec` has, too.

/** The table; null before it is read. */
export let clients = null;

/** Reads the table, which is a file of this page. */
export async function readClients() {
  clients ??= await (await fetch("/console/clients.json")).json();
}

/** What a person does to have a client send to the target: titles with texts to copy. */
export function parts(client, target) {
  return client.parts.map(({ title, text, grpc, shell, after }) => {
    if (shell) return { title, text: [exported(target, client, shell), ...(after ? [after] : [])].join("\n") };
    if (!grpc || !target.isGRPC) return { title, text };
    return { title: `${title}, for this receiver with ${grpc[1]}`, text: text.replaceAll(grpc[0], grpc[1]) };
  });
}

/** One span by curl, to see that the way is open. */
export function curlParts(target) {
  if (!target.isGRPC) return [{ title: "One span, to see that the way is open", text: span(target) }];
  return [{ title: "This receiver speaks gRPC", text: `# choose an otlp_http receiver for curl; for SDKs:\n${exported(target, { variables: {} }, [])}` }];
}

function exported(target, client, more) {
  const own = target.token ? ["OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20YOUR_TOKEN"] : [];
  const lines = (variables) => Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  // What a client would send as log records is of no use where nobody takes those.
  const isTaken = ([name]) => target.signals.includes("logs") || !clients.content.in_logs.includes(name);
  const content = Object.fromEntries(Object.entries(client.variables).filter(isTaken));
  return [...lines(clients.variables), ...own, ...more, ...lines(content)].map((line) => `export ${filled(line, target)}`).join("\n");
}

function filled(line, target) {
  const words = {
    endpoint: target.endpoint, protocol: target.protocol, gemini: target.isGRPC ? "grpc" : "http",
    logs: target.signals.includes("logs") ? "otlp" : "none", metrics: target.signals.includes("metrics") ? "otlp" : "none",
  };
  return line.replace(/\{(\w+)\}/g, (whole, word) => words[word] ?? whole);
}

function span(target) {
  const id = (length) => Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const attribute = (key, value) => ({ key, value });
  const now = Date.now();
  const body = { resourceSpans: [{
    resource: { attributes: [attribute("service.name", { stringValue: "hello-millrace" })] },
    scopeSpans: [{ spans: [{
      traceId: ids.trace ??= id(16), spanId: ids.span ??= id(8), name: "chat hello",
      startTimeUnixNano: `${ids.time ??= now}000000`, endTimeUnixNano: `${ids.time + 1200}000000`,
      attributes: [
        attribute("gen_ai.operation.name", { stringValue: "chat" }), attribute("gen_ai.request.model", { stringValue: "gpt-4o-mini" }),
        attribute("gen_ai.usage.input_tokens", { intValue: "12" }), attribute("gen_ai.usage.output_tokens", { intValue: "30" }),
      ],
    }] }],
  }] };
  const bearer = target.token ? ` -H 'Authorization: Bearer YOUR_TOKEN'` : "";
  return `curl -sS ${target.endpoint}${target.path} -H 'Content-Type: application/json'${bearer} \\\n  -d '${JSON.stringify(body)}'`;
}
const ids = {};
