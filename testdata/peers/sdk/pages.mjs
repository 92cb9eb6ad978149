// Every Pages method of the released TypeScript SDK against a server.
//
// Prints a line for each method and fails at the first that does not do what it says. The base URL and
// the token come from the SDK's own variables; the account and the assets' keys are the arguments. The
// SDK does not check what it decodes: the relay that this runs through does.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';

const require = createRequire(`${process.cwd()}/`);
const { default: Cloudflare, toFile } = require('cloudflare');

const [account_id, keysOfPages] = process.argv.slice(2);
const keys = JSON.parse(keysOfPages); // computed by wrangler's rule
const project_name = 'typescript-sdk';
const client = new Cloudflare({ maxRetries: 0 });
const pages = client.pages;
const called = new Set();

// The name of a resource's method: `deployments.create`.
const nameOf = (resource, method) => `${resource.constructor.name}.${method}`;

// Calls a method of the SDK, which must succeed, and says so.
async function method(resource, name, ...args) {
  const result = await resource[name](...args);
  called.add(nameOf(resource, name));
  console.log('ok', nameOf(resource, name));
  return result;
}

// Calls a method of the SDK, which must fail with this error class and code.
async function refused(error, code, resource, name, ...args) {
  await assert.rejects(resource[name](...args), (problem) => {
    assert(problem instanceof error, `${problem}`);
    assert.equal(problem.errors[0].code, code);
    return true;
  });
  called.add(nameOf(resource, name));
  console.log('ok', nameOf(resource, name), '->', error.name, code);
}

// Every item of every page.
async function all(resource, name, ...args) {
  const items = [];
  for await (const item of await method(resource, name, ...args)) items.push(item);
  return items;
}

// The names of all methods of a resource and of those below it.
function allMethods(resource) {
  const own = [];
  for (let at = Object.getPrototypeOf(resource); at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    own.push(...Object.getOwnPropertyNames(at).filter((name) => name !== 'constructor'));
  }
  const below = Object.entries(resource).filter(([name, value]) => name !== '_client' && typeof value === 'object');
  return [...own.map((name) => nameOf(resource, name)), ...below.flatMap(([, value]) => allMethods(value))];
}

// The asset calls, as the upload token's owner. Returns the key.
async function upload(page) {
  const key = keys[page];
  const { jwt } = await method(pages.projects, 'getUploadToken', project_name, { account_id });
  const assets = client.withOptions({ apiToken: jwt }).pages.assets;
  await all(assets, 'checkMissing', { hashes: [key] });
  const value = Buffer.from(page).toString('base64');
  await method(assets, 'upload', { body: [{ key, value, metadata: { contentType: 'text/html' }, base64: true }] });
  await method(assets, 'upsertHashes', { hashes: [key] });
  return key;
}

// A deployment of one page, awaited.
async function deploy(page, fields) {
  const manifest = JSON.stringify({ '/index.html': await upload(page) });
  const form = { account_id, manifest, ...fields };
  const { id } = await method(pages.projects.deployments, 'create', project_name, form);
  for (let tries = 0; tries < 500; tries++) {
    const got = await method(pages.projects.deployments, 'get', id, ofProject);
    if (got.latest_stage.name === 'deploy' && got.latest_stage.status === 'success') return got;
    assert(['idle', 'active'].includes(got.latest_stage.status), got.latest_stage.status);
    await sleep(50);
  }
  throw new Error('the deployment does not end');
}

const here = { account_id };
const ofProject = { account_id, project_name };
const { NotFoundError, BadRequestError } = Cloudflare;

// Projects.
const created = await method(pages.projects, 'create', { ...here, name: project_name, production_branch: 'main' });
assert.equal(created.latest_deployment, null);
const env_vars = {
  PLAIN: { type: 'plain_text', value: 'seen' },
  HIDDEN: { type: 'secret_text', value: 'not seen' },
};
const edited = await method(pages.projects, 'edit', project_name, {
  ...here,
  deployment_configs: { production: { env_vars } },
});
assert.equal(edited.deployment_configs.production.env_vars.HIDDEN.value, '');
const kept = await method(pages.projects, 'get', project_name, here);
assert.equal(kept.deployment_configs.production.env_vars.PLAIN.value, 'seen');
for (const n of [0, 1, 2]) await pages.projects.create({ ...here, name: `typescript-sdk-${n}`, production_branch: 'main' });
const names = (await all(pages.projects, 'list', { ...here, per_page: 2 })).map((project) => project.name);
assert.deepEqual(names.sort(), ['typescript-sdk', 'typescript-sdk-0', 'typescript-sdk-1', 'typescript-sdk-2']);

// Deployments.
const deployments = pages.projects.deployments;
const first = await deploy('one', { branch: 'main', commit_hash: '0123abc', commit_message: 'first', commit_dirty: 'false' });
assert.equal(first.deployment_trigger.metadata.commit_message, 'first');
const second = await deploy('two', { _headers: await toFile(Buffer.from('/*\n  X-Test: yes\n'), '_headers') });
const preview = await deploy('draft', { branch: 'feature' });
assert.equal(preview.environment, 'preview');
const listed = await all(deployments, 'list', project_name, { ...here, env: 'production' });
assert.deepEqual(listed.map((deployment) => deployment.id), [second.id, first.id]);
const logs = await method(deployments.history.logs, 'get', second.id, ofProject);
assert.equal(logs.total, logs.data.length);
assert.equal((await method(deployments, 'rollback', first.id, ofProject)).id, first.id);
assert.notEqual((await method(deployments, 'retry', second.id, ofProject)).id, second.id);
await refused(NotFoundError, 8000068, deployments.tails, 'create', second.id, { ...ofProject, filters: [] });
await method(deployments.tails, 'delete', 'nothing', { ...ofProject, deployment_id: second.id });
await refused(BadRequestError, 8000035, deployments, 'delete', preview.id, ofProject);
await method(deployments, 'delete', preview.id, { ...ofProject, force: true });
await refused(NotFoundError, 8000009, deployments, 'get', preview.id, ofProject);

// Domains.
const domains = pages.projects.domains;
const domain = await method(domains, 'create', project_name, { ...here, name: 'www.example.com' });
assert.deepEqual((await all(domains, 'list', project_name, here)).map(({ id }) => id), [domain.id]);
await method(domains, 'get', 'www.example.com', ofProject);
await method(domains, 'edit', 'www.example.com', ofProject);
await refused(BadRequestError, 8000028, pages.projects, 'delete', project_name, here);
await method(domains, 'delete', 'www.example.com', ofProject);

await method(pages.projects, 'purgeBuildCache', project_name, here);
await method(pages.projects, 'delete', project_name, here);
await refused(NotFoundError, 8000007, pages.projects, 'get', project_name, here);

const forgotten = allMethods(pages).filter((name) => !called.has(name));
assert.deepEqual(forgotten, [], 'methods that were not called');

// What clients call around Pages.
const user = await method(client.user, 'get');
await method(client.user.tokens, 'verify');
assert.deepEqual((await all(client.accounts, 'list')).map(({ id }) => id), [account_id]);
await method(client.accounts, 'get', here);
await method(client.accounts.tokens, 'verify', here);
assert.deepEqual((await all(client.memberships, 'list')).map(({ account }) => account.id), [account_id]);
const oldStyle = new Cloudflare({ apiEmail: user.email, apiKey: client.apiToken, apiToken: null, maxRetries: 0 });
await all(oldStyle.pages.projects, 'list', here);
