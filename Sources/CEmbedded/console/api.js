// The way to the process: the token, questions, and the stream.

const STORED = "millrace-token";
const POLL = 2000;
/** Without a word for so long a stream is given up and opened again. */
const SILENCE = 5000;

/** What the process refused, with its own words. */
export class Refusal extends Error {
  constructor(status, text) {
    super(text || `status ${status}`);
    this.status = status;
  }
}

/** Takes `#token=…` out of the address, so that it stands in no history and no bookmark. */
export function takeToken() {
  const found = /^#token=([^&]+)/.exec(location.hash);
  if (!found) return;
  sessionStorage.setItem(STORED, decodeURIComponent(found[1]));
  history.replaceState(null, "", location.pathname);
}

/** Keeps a token that a person has typed. */
export const setToken = (token) => sessionStorage.setItem(STORED, token.trim());

/** Whether there is a token to show, right or wrong. */
export const hasToken = () => Boolean(sessionStorage.getItem(STORED));

const headers = () => ({ Authorization: `Bearer ${sessionStorage.getItem(STORED) ?? ""}` });

async function checked(answer) {
  if (!answer.ok) throw new Refusal(answer.status, (await answer.text()).trim());
  return answer;
}

/** What stands at a path, as JSON. */
export async function get(path) {
  const answer = await fetch(path, { headers: headers(), cache: "no-store", credentials: "omit" });
  return (await checked(answer)).json();
}

/** Changes something; what the process answers. */
export async function post(path) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { ...headers(), "Content-Type": "application/json" },
    body: "{}",
    credentials: "omit",
  });
  return (await checked(answer)).json();
}

/** An address with those of the values that are there. */
export function address(path, values) {
  const query = new URLSearchParams(Object.entries(values).filter(([, value]) => value));
  return [...query.keys()].length ? `${path}?${query}` : path;
}

/**
 * Events of one stream, for as long as `stop()` is not called: closed while the page is hidden, opened again after a failure, and where
 * no more streams are given out the status is asked for instead.
 */
export class Stream {
  /** `take(name, data)` gets each event, `tell(state, error)` "live", "polling" or "away". */
  constructor(path, take, tell) {
    Object.assign(this, { path, take, tell, failures: 0 });
    this.whenSeen = () => (document.hidden ? this.cut() : this.start());
    document.addEventListener("visibilitychange", this.whenSeen);
    if (!document.hidden) this.start();
  }

  stop() {
    document.removeEventListener("visibilitychange", this.whenSeen);
    this.cut();
  }

  cut() {
    clearTimeout(this.again);
    this.control?.abort();
    this.control = null;
  }

  async start() {
    this.cut();
    const control = new AbortController();
    this.control = control;
    let pause = 1000;
    try {
      await this.listen(control);
    } catch (error) {
      if (this.control !== control) return;
      this.failures += 1;
      if (error.status === 401) return this.tell("refused", error);
      if (error.status === 503) {
        await this.poll().catch((other) => this.tell("away", other));
        pause = POLL;
      } else {
        this.tell("away", error);
        pause = Math.min(1000 * 2 ** Math.min(this.failures - 1, 3), 5000);
      }
    }
    if (this.control === control) this.again = setTimeout(() => this.start(), pause);
  }

  async poll() {
    this.take("status", await get("/api/status"));
    this.tell("polling");
  }

  async listen(control) {
    const answer = await checked(
      await fetch(this.path, { headers: headers(), cache: "no-store", credentials: "omit", signal: control.signal }),
    );
    const reader = answer.body.getReader();
    const decoder = new TextDecoder();
    let text = "";
    while (true) {
      const silence = setTimeout(() => reader.cancel().catch(() => {}), SILENCE);
      const { done, value } = await reader.read();
      clearTimeout(silence);
      if (done) throw new Error("the stream ended");
      if (this.control !== control) return;
      text += decoder.decode(value, { stream: true });
      const events = text.split("\n\n");
      text = events.pop();
      for (const event of events) this.deliver(event);
    }
  }

  deliver(event) {
    const fields = Object.fromEntries(event.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
    if (!fields.data) return;
    this.failures = 0;
    this.take(fields.event ?? "message", JSON.parse(fields.data));
    this.tell("live");
  }
}
