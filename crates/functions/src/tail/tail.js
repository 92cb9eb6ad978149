// Passes the events of this deployment on to the server: those with an exception, and all of a request whose header
// says that somebody watches.
const wanted = (item) =>
  item.exceptions?.length > 0 ||
  item.outcome !== "ok" ||
  item.event?.request?.headers?.["offprint-tail"] === "all";

export default {
  async tail(events, env) {
    const items = events.filter(wanted);
    if (items.length === 0) return;
    await env.SINK.fetch("http://tail/", { method: "POST", body: JSON.stringify(items) });
  },
};
