// A browser that does what a test says: `node drive.mjs FOLDER`, where FOLDER has the packages and the
// unpacked browser below tmp. Each line of the standard input is one command as JSON, [name,
// ...arguments]; each line of the standard output is its result, {"value": ...} or {"error": ...}.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { writeFileSync } from "node:fs";

const [folder] = process.argv.slice(2);
const require = createRequire(join(folder, "package.json"));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { default: chromium, setupLambdaEnvironment } = await load("@sparticuz/chromium");
const browsers = require("playwright-core").chromium;

const temporary = process.env.TMPDIR;
setupLambdaEnvironment(join(temporary, "al2023", "lib"));
// The package's own fonts.conf names folders of Lambda; without a font, every text is empty.
const fonts = join(temporary, "fonts.conf");
writeFileSync(
  fonts,
  `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
  <fontconfig><dir>${join(temporary, "fonts")}</dir><cachedir>${join(temporary, "cache")}</cachedir></fontconfig>`,
);
process.env.FONTCONFIG_FILE = fonts;
chromium.setGraphicsMode = false;
const executablePath = await chromium.executablePath();
// The package's own arguments switch off what keeps origins apart.
const args = chromium.args.filter((each) => !/web-security|site-isolation/.test(each));
const browser = await browsers.launch({ executablePath, args, headless: true });
const context = await browser.newContext({ viewport: { width: 1000, height: 900 } });
context.setDefaultTimeout(10_000);
const page = await context.newPage();

// What the page has asked for, and what was wrong with it.
const asked = [];
const wrong = [];
page.on("request", (request) => asked.push(request.url()));
page.on("console", (message) => wrong.push(message.text()));
page.on("pageerror", (error) => wrong.push(String(error)));

const commands = {
  open: async (url) => {
    const answer = await page.goto(url);
    // The way into a console leads on by itself, to an address without the token.
    if (answer?.headers().refresh) await page.waitForURL((next) => !next.searchParams.has("token"));
    return answer?.status();
  },
  text: () => page.evaluate(() => document.body.innerText),
  url: () => page.url(),
  click: (role, name) => page.getByRole(role, { name, exact: true }).first().click(),
  check: (name) => page.getByLabel(name, { exact: true }).check(),
  fill: (name, text) => page.getByLabel(name, { exact: true }).fill(text),
  press: (key) => page.keyboard.press(key),
  // A function of the page is given as text.
  run: (code) => page.evaluate(code),
  // Not by the page's own means: its policy allows no code that is made of a text.
  wait: async (code) => {
    for (const end = Date.now() + 10_000; Date.now() < end; await page.waitForTimeout(50)) {
      if (await page.evaluate(code).catch(() => false)) return true;
    }
    throw new Error(`the page does not come to ${code}: ${await commands.text()}`);
  },
  pause: (milliseconds) => page.waitForTimeout(milliseconds).then(() => true),
  size: (width, height) => page.setViewportSize({ width, height }),
  scheme: (colorScheme) => page.emulateMedia({ colorScheme }),
  cookies: () => context.cookies(),
  forget: () => context.clearCookies().then(() => true),
  picture: (path) => page.screenshot({ path }).then(() => true),
  seen: () => ({ asked: asked.splice(0), wrong: wrong.splice(0) }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...given] = JSON.parse(line);
  try {
    console.log(JSON.stringify({ value: (await commands[name](...given)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
await browser.close();
