// Runs a Worker with one binding of each kind and prints what it answers.
// miniflare.mjs <miniflare's directory> <script>
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [directory, script] = process.argv.slice(2);
const { Miniflare, convertV4MiniflareOptions } = createRequire(directory + "/")(directory);
const options = {
  modules: true,
  script: readFileSync(script, "utf8"),
  compatibilityDate: "2026-01-01",
  kvNamespaces: { KV: "kv" },
  d1Databases: { DB: "db" },
  r2Buckets: { R2: "r2" },
};
const miniflare = new Miniflare(convertV4MiniflareOptions ? convertV4MiniflareOptions(options) : options);
const answer = await miniflare.dispatchFetch("http://worker.test/");
process.stdout.write(await answer.text());
await miniflare.dispose();
