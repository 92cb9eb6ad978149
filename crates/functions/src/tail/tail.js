// Passes events of this deployment on to the server: those of a request whose header says that somebody watches, and
// those of calls that failed. Neither may keep the process from its work: of calls that fail without pause only some
// are passed on, and what a watcher misses is counted and told with the next post.
const A_SECOND_MS = 1000;
const FAILED_A_SECOND_MAX = 20;
const POSTS_UNDER_WAY_MAX = 32;

let second = 0;
let failedThisSecond = 0;
let postsUnderWay = 0;
let leftOut = 0;

const isWatched = (item) => item.event?.request?.headers?.["offprint-tail"] === "all";

const hasFailed = (item) =>
  item.exceptions.length > 0 || (item.outcome !== "ok" && item.outcome !== "canceled");

function isWanted(item) {
  if (isWatched(item)) return true;
  if (!hasFailed(item)) return false;
  const now = Date.now();
  if (now - second >= A_SECOND_MS) {
    second = now;
    failedThisSecond = 0;
  }
  failedThisSecond += 1;
  return failedThisSecond <= FAILED_A_SECOND_MAX;
}

export default {
  async tail(items, env) {
    const events = items.filter(isWanted);
    if (events.length === 0) return;
    if (postsUnderWay >= POSTS_UNDER_WAY_MAX) {
      leftOut += events.filter(isWatched).length;
      return;
    }
    const body = JSON.stringify({ events, leftOut });
    leftOut = 0;
    postsUnderWay += 1;
    try {
      await env.SINK.fetch("http://tail/", { method: "POST", body });
    } finally {
      postsUnderWay -= 1;
    }
  },
};
