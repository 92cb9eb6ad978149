// Does all that a Function can do with the Cache API, and answers how it went.
const steps = [];
async function step(name, does) {
  try {
    steps.push([name, (await does()) ?? null]);
  } catch (error) {
    steps.push([name, "error: " + error.message]);
  }
}
const NAMES = ["content-type", "etag", "content-range", "content-length", "cf-cache-status", "x-own", "set-cookie"];
async function seen(answer) {
  if (!answer) return null;
  // Whether an answer without content says how long it would be is up to the HTTP library.
  if (answer.status === 304 || answer.status === 416) return [answer.status, await answer.text()];
  const headers = Object.fromEntries(NAMES.map((name) => [name, answer.headers.get(name)]).filter(([, value]) => value !== null));
  return [answer.status, headers, await answer.text()];
}
const fresh = (body, headers = {}, status = 200) =>
  new Response(body, { status, headers: { "cache-control": "max-age=60", ...headers } });

export default {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const cache = caches.default;
    if (pathname === "/put") {
      await cache.put("http://site.test/shared", fresh(searchParams.get("v")));
      return new Response("put");
    }
    if (pathname === "/get") return (await cache.match("http://site.test/shared")) ?? new Response("nothing");
    await step("match nothing", async () => seen(await cache.match("http://site.test/a")));
    await step("put", () => cache.put("http://site.test/a", fresh("hello", { "x-own": "1", etag: '"e"' })));
    await step("match", async () => seen(await cache.match("http://site.test/a")));
    await step("match by request", async () => seen(await cache.match(new Request("http://site.test/a"))));
    await step("match another query", async () => seen(await cache.match("http://site.test/a?x")));
    await step("match another host", async () => seen(await cache.match("http://other.test/a")));
    await step("match a post", async () => seen(await cache.match(new Request("http://site.test/a", { method: "POST" }))));
    for (const headers of [
      { "if-none-match": '"e"' }, { "if-none-match": 'W/"e"' }, { "if-none-match": '"x", "e"' }, { "if-none-match": "*" },
      { "if-none-match": '"x"' }, { range: "bytes=1-2" }, { range: "bytes=-2" }, { range: "bytes=9-" },
    ]) {
      await step("match with " + JSON.stringify(headers), async () =>
        seen(await cache.match(new Request("http://site.test/a", { headers }))));
    }
    await step("last modified", async () => {
      const modified = "Sun, 06 Nov 1994 08:49:37 GMT";
      await cache.put("http://site.test/lm", fresh("dated", { "last-modified": modified }));
      const since = (date) => cache.match(new Request("http://site.test/lm", { headers: { "if-modified-since": date } }));
      return [await seen(await since(modified)), await seen(await since("Sun, 06 Nov 1994 08:49:36 GMT"))];
    });
    await step("put again", async () => {
      await cache.put("http://site.test/a", fresh("again"));
      return seen(await cache.match("http://site.test/a"));
    });
    const kept = async (name, answer, asked = {}) =>
      step(name, async () => {
        const url = "http://site.test/" + encodeURIComponent(name);
        await cache.put(new Request(url, { headers: asked }), answer);
        return seen(await cache.match(new Request(url, { headers: asked })));
      });
    await kept("no-store", fresh("x", { "cache-control": "no-store" }));
    await kept("private", fresh("x", { "cache-control": "private, max-age=60" }));
    await kept("no age", fresh("x", { "cache-control": "max-age=0" }));
    await kept("s-maxage", fresh("x", { "cache-control": "s-maxage=60, max-age=0" }));
    await kept("expires", fresh("x", { "cache-control": "public", expires: new Date(Date.now() + 60_000).toUTCString() }));
    await kept("expired", fresh("x", { "cache-control": "public", expires: new Date(0).toUTCString() }));
    await kept("cookie", fresh("x", { "set-cookie": "a=b" }));
    await kept("private cookie", fresh("x", { "cache-control": "private=set-cookie, max-age=60", "set-cookie": "a=b" }));
    await kept("authorized", fresh("x"), { authorization: "Bearer x" });
    await kept("authorized and public", fresh("x", { "cache-control": "public, max-age=60" }), { authorization: "Bearer x" });
    await kept("not found", fresh("x", {}, 404));
    await kept("redirect", fresh(null, { location: "/" }, 301));
    await kept("error", fresh("x", {}, 500));
    await kept("nothing said", new Response("x"));
    await kept("empty", fresh(""));
    await kept("stream", fresh(new Response("x".repeat(100_000)).body));
    await step("vary star", () => cache.put("http://site.test/v", fresh("x", { vary: "*" })));
    await step("partial", () => cache.put("http://site.test/p", fresh("x", {}, 206)));
    await step("put a post", () => cache.put(new Request("http://site.test/p", { method: "POST" }), fresh("x")));
    await step("vary", async () => {
      const asked = (language) => new Request("http://site.test/vary", { headers: { "accept-language": language } });
      await cache.put(asked("de"), fresh("deutsch", { vary: "accept-language" }));
      await cache.put(asked("en"), fresh("english", { vary: "accept-language" }));
      return [await seen(await cache.match(asked("de"))), await seen(await cache.match(asked("en"))), await seen(await cache.match(asked("fr")))];
    });
    await step("named caches", async () => {
      const named = await caches.open("named");
      await named.put("http://site.test/n", fresh("named"));
      const other = await caches.open("other");
      return [await seen(await named.match("http://site.test/n")), await seen(await other.match("http://site.test/n")),
        await seen(await cache.match("http://site.test/n"))];
    });
    await step("delete", () => cache.delete("http://site.test/a"));
    await step("match deleted", async () => seen(await cache.match("http://site.test/a")));
    await step("delete again", () => cache.delete("http://site.test/a"));
    await step("long url", async () => {
      const url = "http://site.test/" + "u".repeat(10_000);
      await cache.put(url, fresh("long"));
      return seen(await cache.match(url));
    });
    return Response.json(steps);
  },
};
