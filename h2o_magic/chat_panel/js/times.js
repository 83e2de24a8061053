export const DAYS = ["Today", "Yesterday", "Earlier"];

// Making one takes longer than using it a hundred times.
const HOUR = new Intl.DateTimeFormat([], { hour: "numeric", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat([], { day: "numeric", month: "short" });
const OLD_DAY = new Intl.DateTimeFormat([], { day: "numeric", month: "short", year: "numeric" });

/** The day of a time in seconds, or today without one. */
export function dayOf(at) {
  const day = new Date();
  if (!at || at * 1000 >= day.setHours(0, 0, 0, 0)) return DAYS[0];
  return at * 1000 >= day.setDate(day.getDate() - 1) ? DAYS[1] : DAYS[2];
}

/** The hour of a time in seconds, or its date if that was before yesterday. */
export function timeOf(at) {
  if (!at) return "";
  const time = new Date(at * 1000);
  if (dayOf(at) !== DAYS[2]) return HOUR.format(time);
  return (time.getFullYear() === new Date().getFullYear() ? DAY : OLD_DAY).format(time);
}
