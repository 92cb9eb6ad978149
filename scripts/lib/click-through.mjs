// Clicks through the demo of Svelte's own template at each of the addresses given, in headless Chromium:
//   node click-through.mjs URL…
// PLAYWRIGHT is the directory whose node_modules has playwright-core, CHROMIUM the program.
// A page that fails to load, an error on the console or a step that does not come about within 30 s fails the run.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const { chromium } = createRequire(`${process.env.PLAYWRIGHT}/`)("playwright-core");
const GUESS = "crane";

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
  ],
});

/** A page of its own session; `faults` gathers what went wrong in it. */
async function open(options) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  const faults = [];
  page.on("console", (message) => message.type() === "error" && faults.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`exception: ${error}`));
  page.on("response", (answer) => answer.status() >= 400 && faults.push(`${answer.status()} ${answer.url()}`));
  return { context, page, faults };
}

/** The marks of the first row of the game, once the server has judged it. */
async function judged(page) {
  const row = page.locator(".grid .row").first();
  await row.locator(".letter.exact, .letter.close, .letter.missing").nth(4).waitFor();
  return (await row.locator(".letter").allTextContents()).map((text) => text.trim()[0]).join("");
}

/** Pages without a load in between, client-side code, and a form whose answer the Function computes. */
async function withScripts(origin) {
  const { context, page, faults } = await open({});
  await page.goto(origin, { waitUntil: "networkidle" });
  assert.match(await page.locator("h1").innerText(), /SvelteKit app/);
  await page.getByLabel("Increase the counter by one").click();
  await page.locator(".counter-digits strong", { hasText: /^1$/ }).last().waitFor();
  const menu = page.locator("header nav");
  await menu.getByRole("link", { name: "About" }).click();
  await page.waitForURL(`${origin}/about`);
  await page.getByRole("heading", { name: "About this app" }).waitFor();
  await menu.getByRole("link", { name: "Sverdle" }).click();
  await page.waitForURL(`${origin}/sverdle`);
  for (const letter of GUESS) await page.locator(`[data-key=${letter}]`).click();
  const posted = page.waitForResponse((answer) => answer.request().method() === "POST");
  await page.locator("[data-key=enter]").click();
  assert.equal((await (await posted).json()).type, "success");
  assert.equal(await judged(page), GUESS);
  // The game is in a cookie that only the Function reads: a full load brings it back from the server.
  await page.reload({ waitUntil: "networkidle" });
  assert.equal(await judged(page), GUESS);
  await page.getByRole("link", { name: "How to play" }).click();
  await page.getByRole("heading", { name: "How to play Sverdle" }).waitFor();
  assert.deepEqual(faults, []);
  await context.close();
}

/** The same game where no script runs: each letter is a form that the Function answers with a page. */
async function withoutScripts(origin) {
  const { context, page, faults } = await open({ javaScriptEnabled: false });
  await page.goto(`${origin}/sverdle`);
  for (const letter of GUESS) await page.locator(`[data-key=${letter}]`).click();
  await page.locator("[data-key=enter]").click();
  assert.equal(await judged(page), GUESS);
  assert.deepEqual(faults, []);
  const absent = await page.goto(`${origin}/absent`);
  assert.equal(absent.status(), 404);
  assert.match(await page.locator("body").innerText(), /404/);
  await context.close();
}

try {
  for (const origin of process.argv.slice(2)) {
    await withScripts(origin);
    await withoutScripts(origin);
    console.log(`clicked through ${origin}`);
  }
} finally {
  await browser.close();
}
