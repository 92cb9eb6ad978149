// Does all that a Function can do with a KV namespace, and answers how it went.
const steps = [];
async function step(name, does) {
  try {
    steps.push([name, (await does()) ?? null]);
  } catch (error) {
    steps.push([name, "error: " + error.message]);
  }
}
const HOSTILE = [
  "a/b", "a%2Fb", "a b", "a+b", "a?b=c", "a#b", "ключ", "\u0000nul", "a\\b", "💥", "..a", "a/../b", "%", "%zz",
  "bulk/get", "é", "e\u0301", "/", "//", "?", "a&b", "\n", "\u007f",
];

export default {
  async fetch(request, { KV: kv }) {
    const path = new URL(request.url).pathname;
    if (path === "/count") {
      // Writers of one key: the last wins, and none is torn.
      await kv.put("counter", String(Number((await kv.get("counter")) ?? 0) + 1));
      return new Response(await kv.get("counter"));
    }
    if (path.startsWith("/put/")) {
      await kv.put(path.slice(5), path.slice(5).repeat(100));
      return new Response("stored");
    }
    await step("put", () => kv.put("a", "1"));
    await step("get text", () => kv.get("a"));
    await step("get json", () => kv.get("a", "json"));
    await step("get array buffer", async () => (await kv.get("a", "arrayBuffer")).byteLength);
    await step("get nothing", () => kv.get("nothing"));
    await step("put metadata", () => kv.put("b", "2", { metadata: { x: "ü\n💥", y: [1] } }));
    await step("put metadata with a character that is in no header", () => kv.put("del", "2", { metadata: "\u007f" }));
    await step("clear up", () => kv.delete("del"));
    await step("get metadata", () => kv.getWithMetadata("b"));
    await step("get no metadata", () => kv.getWithMetadata("a"));
    await step("get metadata of nothing", () => kv.getWithMetadata("nothing"));
    for (const ttl of [0, 30, 59]) await step(`ttl ${ttl}`, () => kv.put("t", "x", { expirationTtl: ttl }));
    await step("expiration in the past", () => kv.put("t", "x", { expiration: 100 }));
    await step("ttl 60", () => kv.put("t", "x", { expirationTtl: 60 }));
    await step("expiration in a list", async () => {
      const { keys } = await kv.list({ prefix: "t" });
      const left = keys[0].expiration - Date.now() / 1000;
      return [keys.length, left > 30 && left < 90];
    });
    await step("put without ttl", async () => {
      await kv.put("t", "x");
      return (await kv.list({ prefix: "t" })).keys;
    });
    for (const key of ["", ".", ".."]) {
      await step(`get "${key}"`, () => kv.get(key));
      await step(`put "${key}"`, () => kv.put(key, "x"));
    }
    await step("key of 513 bytes", () => kv.put("k".repeat(513), "x"));
    await step("key of 512 bytes", () => kv.put("k".repeat(512), "x"));
    await step("key of 512 bytes, escaped", async () => {
      await kv.put("%".repeat(512), "x");
      return kv.get("%".repeat(512));
    });
    await step("long metadata", () => kv.put("m", "x", { metadata: "m".repeat(1100) }));
    for (const key of HOSTILE) {
      await step("hostile " + JSON.stringify(key), async () => {
        await kv.put(key, "value of " + key);
        return (await kv.get(key)) === "value of " + key;
      });
    }
    await step("list", () => kv.list());
    await step("list prefix", () => kv.list({ prefix: "a" }));
    await step("list strange prefix", () => kv.list({ prefix: "%" }));
    await step("list pages", async () => {
      const pages = [];
      let cursor;
      do {
        const page = await kv.list({ limit: 7, cursor });
        pages.push([page.list_complete, page.keys.map((key) => key.name)]);
        cursor = page.cursor;
      } while (cursor);
      return pages;
    });
    for (const limit of [0, -1, 1001]) {
      await step(`list ${limit}`, async () => (await kv.list({ limit })).keys.length);
    }
    await step("bulk", async () => [...(await kv.get(["a", "b", "nothing"]))]);
    await step("bulk in order", async () => [...(await kv.get(["nothing", "b", "a"]))]);
    await step("bulk metadata", async () => [...(await kv.getWithMetadata(["a", "b", "nothing"]))]);
    await step("bulk json", async () => [...(await kv.get(["a", "b"], "json"))]);
    await step("bulk not json", async () => [...(await kv.get(["a", "ключ"], "json"))]);
    await step("bulk array buffer", async () => [...(await kv.get(["a"], "arrayBuffer"))]);
    await step("bulk nothing", async () => [...(await kv.get([]))]);
    await step("bulk too many", async () => [...(await kv.get(Array.from({ length: 101 }, (_, n) => "k" + n)))]);
    await step("delete", () => kv.delete("a"));
    await step("get deleted", () => kv.get("a"));
    await step("delete nothing", () => kv.delete("nothing"));
    await step("stream", async () => {
      await kv.put("s", new Response("x".repeat(100_000)).body);
      return (await new Response(await kv.get("s", "stream")).text()).length;
    });
    await step("stream of unknown length", async () => {
      const { readable, writable } = new TransformStream();
      const writer = writable.getWriter();
      const written = writer.write(new TextEncoder().encode("chunk")).then(() => writer.close());
      await Promise.all([kv.put("u", readable), written]);
      return kv.get("u");
    });
    await step("longest value", async () => {
      await kv.put("long", new Uint8Array(25 * 1024 * 1024).fill(7));
      const read = new Uint8Array(await kv.get("long", "arrayBuffer"));
      return [read.length, read.every((byte) => byte === 7)];
    });
    await step("longer value", () => kv.put("longer", new Uint8Array(25 * 1024 * 1024 + 1)));
    await step("longer value is not there", () => kv.get("longer"));
    await step("empty value", async () => {
      await kv.put("empty", "");
      return kv.get("empty");
    });
    await step("cache ttl", () => kv.get("b", { cacheTtl: 30 }));
    await step("short cache ttl", () => kv.get("b", { cacheTtl: 10 }));
    return Response.json(steps);
  },
};
