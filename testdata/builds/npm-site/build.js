// Renders the page with a package of the registry and with what the build is told about itself.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import mustache from "mustache";

const { CF_PAGES_BRANCH: branch, CF_PAGES_COMMIT_SHA: commit, CF_PAGES_URL: url, GREETING: greeting } = process.env;
const template = readFileSync("page.mustache", "utf8");

mkdirSync("dist", { recursive: true });
writeFileSync("dist/index.html", mustache.render(template, { branch, commit, url, greeting, pages: process.env.CF_PAGES }));
console.log(`rendered the page of ${branch}`);
