// Opens Swagger UI of a running wintag in Chromium, asks GET /resolve with its example parameters, and looks at the answer.
//
// node tests/swagger-ui.mjs PLAYWRIGHT_FOLDER WINTAG SCREENSHOT
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const [playwrightFolder, wintag, screenshot] = process.argv.slice(2);
assert(screenshot, "usage: swagger-ui.mjs PLAYWRIGHT_FOLDER WINTAG SCREENSHOT");
const { chromium } = createRequire(resolve(playwrightFolder) + "/")("playwright-core");

const CHROMIUM_FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

async function startService() {
  const address = `127.0.0.1:${await freePort()}`;
  const service = spawn(wintag, ["serve", "--listen", address, "--offline"], { stdio: ["ignore", "inherit", "inherit"] });
  let ended = null;
  service.once("exit", (code, signal) => (ended = `wintag ended with ${signal ?? code}`));
  service.once("error", (error) => (ended = `wintag cannot be started: ${error.message}`));
  const stop = async () => {
    if (ended === null) {
      service.kill("SIGTERM");
      const killer = setTimeout(() => service.kill("SIGKILL"), 10_000);
      await once(service, "exit");
      clearTimeout(killer);
    }
  };
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await sleep(100)) {
    assert.equal(ended, null);
    const answer = await fetch(`http://${address}/swagger-ui/`).catch(() => null);
    if (answer?.ok) return { address, stop };
  }
  await stop();
  throw new Error("wintag did not serve /swagger-ui/ within 30 s");
}

async function tryResolve(page, address) {
  await page.goto(`http://${address}/swagger-ui/`);
  await page.locator(".opblock").first().waitFor();
  const operations = await page.locator(".opblock-summary-path").count();

  const operation = page.locator(".opblock-get", { has: page.locator('.opblock-summary-path[data-path="/resolve"]') });
  await operation.locator(".opblock-summary").click();
  // The form is open from the start; nothing has to be pressed before "Execute".
  const answered = page.waitForResponse((response) => new URL(response.url()).pathname === "/resolve");
  await operation.getByRole("button", { name: "Execute" }).click();

  const response = await answered;
  assert.equal(response.status(), 200, await response.text());
  assert.match(response.headers()["content-type"], /^application\/json\b/);
  const shown = operation.locator(".live-responses-table .response").first();
  await shown.waitFor();
  assert.match(await shown.locator(".response-col_status").innerText(), /^200\b/);
  const answer = await response.json();
  const body = await shown.locator(".response-col_description").innerText();
  for (const member of Object.keys(answer)) assert(body.includes(`"${member}"`), `the page shows "${member}"`);
  return { operations, url: response.url() };
}

const service = await startService();
try {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: CHROMIUM_FLAGS });
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 1600 } });
    page.setDefaultTimeout(20_000);
    const complaints = [];
    page.on("console", (message) => message.type() === "error" && complaints.push(`console: ${message.text()}`));
    page.on("pageerror", (error) => complaints.push(`page: ${error.message}`));
    page.on("request", (request) => {
      const url = new URL(request.url());
      const local = url.host === service.address || url.protocol === "data:" || url.protocol === "blob:";
      if (!local) complaints.push(`asked another host: ${url}`);
    });
    try {
      const seen = await tryResolve(page, service.address);
      assert.deepEqual(complaints, []);
      console.log(`${seen.operations} operations shown; ${seen.url} answered 200 and is shown`);
    } catch (error) {
      for (const complaint of complaints) console.error(complaint);
      throw error;
    } finally {
      await page.screenshot({ path: screenshot, fullPage: true });
      console.log(`screenshot: ${screenshot}`);
    }
  } finally {
    await browser.close();
  }
} finally {
  await service.stop();
}
