// Numbers, sizes and times as people read them; all with the same few characters, so that columns stand still.

const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const UNITS = ["", "k", "M", "G", "T"];

/** A count in full: 12,345. */
export const count = (value) => WHOLE.format(value);

/** A count in three digits: 12.3k. */
export function short(value) {
  let power = 0;
  let rest = Math.abs(value);
  while (rest >= 999.5 && power < UNITS.length - 1) {
    rest /= 1000;
    power += 1;
  }
  const digits = power === 0 || rest >= 99.95 ? 0 : 1;
  return `${value < 0 ? "−" : ""}${rest.toFixed(digits)}${UNITS[power]}`;
}

/** So many a second; below ten with a fraction. */
export function rate(value) {
  if (value === null || value === undefined) return "–";
  if (value < 0.05) return "0";
  return value < 9.95 ? value.toFixed(1) : short(value);
}

/** A size in powers of 1024. */
export function bytes(value) {
  let power = 0;
  let rest = value;
  while (rest >= 1023.5 && power < 4) {
    rest /= 1024;
    power += 1;
  }
  return `${rest.toFixed(power === 0 || rest >= 99.5 ? 0 : 1)} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

/** A duration in its two largest units. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  if (seconds < 0.0005) return "0 s";
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 99.5) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.round(hours / 24)} d`;
}

/** How long ago; one that is not past is "now". */
export const ago = (seconds) => (seconds < 1 ? "now" : `${duration(seconds)} ago`);

/** A share in per cent, never 0 or 100 for what is not. */
export function percent(part, whole) {
  if (!whole || part === 0) return "0 %";
  if (part === whole) return "100 %";
  const value = (100 * part) / whole;
  if (value < 0.1) return "< 0.1 %";
  if (value > 99.9) return "> 99.9 %";
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} %`;
}

/** An amount of money in whatever currency the apps report. */
export const money = (value) => (value === 0 ? "–" : value < 10 ? value.toFixed(4) : value.toFixed(2));

/** The time of day of an RFC 3339 time, here. */
export const clock = (text) =>
  new Date(text).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** Day and time. */
export const moment = (text) =>
  `${new Date(text).toLocaleDateString("en-CA")} ${clock(text)}`;
