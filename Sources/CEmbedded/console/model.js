// What is known of the process: the newest status, how the totals moved, and what follows from that.

/** Seconds of history that are kept. */
const KEPT = 180;
/** Seconds that a rate is taken over: short enough to follow, long enough to be read. */
const WINDOW = 6;
/** Who delivers, and has nothing older than so many seconds waiting, keeps up. */
export const KEPT_UP = 3;

/** What becomes of items, in the order in which bars show it. */
export const OUTCOMES = [
  ["delivered", "delivered", "The destination has it."],
  ["joined", "joined", "Log records that became content of spans."],
  ["filtered", "filtered", "A filter took it out."],
  ["sampled_out", "sampled out", "Sampling took it out."],
  ["rejected", "rejected", "The destination turned it away in a partial success."],
  ["dead_lettered", "dead letters", "The destination refuses it; it lies among the dead letters."],
  ["expired", "expired", "It became too old, or was purged."],
  ["lost", "lost", "Disk damage destroyed it."],
  ["queued", "queued", "It waits in the journal."],
];

export class Model {
  constructor() {
    this.history = [];
    this.file = {};
    /** What works where settings name nothing, by processor and setting. */
    this.inEffect = {};
    this.status = null;
  }

  /** Adds a status; that of another process than before starts the history anew. Whether it is one. */
  add(status) {
    const last = this.history.at(-1);
    const isOther = last !== undefined && status.process.started_ns !== last.process.started_ns;
    if (isOther) this.history = [];
    else if (last && status.seconds - last.seconds < 0.2) this.history.pop();
    this.history.push(status);
    while (status.seconds - this.history[0].seconds > KEPT) this.history.shift();
    this.status = status;
    return isOther;
  }

  /** How fast a total grew lately, a second; null while that is not known. `total` picks it out of a status. */
  rate(total) {
    return this.rateAt(this.history.length - 1, total);
  }

  rateAt(index, total) {
    const end = this.history[index];
    let first = index;
    while (first > 0 && end.seconds - this.history[first - 1].seconds <= WINDOW) first -= 1;
    if (first === index) return null;
    const [before, after] = [total(this.history[first]), total(end)];
    if (before === undefined || after === undefined) return null;
    return Math.max(0, (after - before) / (end.seconds - this.history[first].seconds));
  }

  /** The rates of the time that is kept, oldest first, for a small drawing. */
  rates(total) {
    return this.history.map((_, index) => this.rateAt(index, total) ?? 0).slice(1);
  }

  /** Values of the time that is kept. */
  values(value) {
    return this.history.map(value).filter((number) => number !== undefined);
  }

  get pipelines() {
    return this.status?.pipelines ?? [];
  }

  /** All destinations with their pipelines. */
  get destinations() {
    return this.pipelines.flatMap((pipeline) => pipeline.destinations.map((row) => ({ pipeline, row })));
  }

  /** The settings of a component in the pipeline file. */
  component(kind, name) {
    return this.file[kind]?.[name] ?? {};
  }

  /** Backlog of one destination: growth and what follows from it, in seconds; null for what will not come. */
  backlog(pipeline, row) {
    const of = (status) => find(status, pipeline, row.name);
    const accepted = this.rate((status) => of(status)?.accepted);
    const settled = this.rate((status) => {
      const found = of(status);
      return found && found.accepted + found.created - found.queued;
    });
    const growth = accepted === null || settled === null ? null : accepted - settled;
    const { filled_bytes: filled, stored_items: stored, left_bytes: left } = this.status.journal;
    const size = stored > 0 ? filled / stored : 0;
    return {
      growth,
      keepsUp: row.queued > 0 && row.oldest_queued_seconds < KEPT_UP && settled > 0,
      drained: row.queued === 0 ? 0 : growth !== null && growth < -0.01 ? row.queued / -growth : null,
      full: growth !== null && growth > 0.01 && size > 0 ? left / (growth * size) : null,
    };
  }
}

/** A destination's row in another status. */
export function find(status, pipeline, name) {
  return status.pipelines
    .find((other) => other.name === pipeline.name && other.signal === pipeline.signal)
    ?.destinations.find((row) => row.name === name);
}

/** How a destination stands, in few words: a window of the pipeline, away, held, slow, idle, or well. */
export function standing(row) {
  const { delivery } = row;
  if (row.window) return { word: "joined with spans", level: "good", mark: "●" };
  if (!delivery) return { word: "gone from the file", level: "quiet", mark: "○" };
  if (delivery.paused) return { word: "paused", level: "held", mark: "❚❚" };
  if (delivery.circuit === "open") return { word: "circuit open", level: "bad", mark: "▲" };
  if (delivery.circuit === "probing") return { word: "probing", level: "warn", mark: "◆" };
  if (isFailing(delivery)) return { word: "retrying", level: "warn", mark: "◆" };
  return { word: row.delivered > 0 || delivery.last_delivered_at ? "delivering" : "ready", level: "good", mark: "●" };
}

/** What says nothing of a destination, but of what it was sent. */
const OF_CONTENT = new Set(["refused", "too_large"]);

/** Whether the destination did not take what it was sent last, whatever that was. */
export const isFailing = ({ failures_in_a_row: failures, error }) => failures > 0 && !OF_CONTENT.has(error?.outcome);
