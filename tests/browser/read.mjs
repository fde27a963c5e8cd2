// Read a page as a browser shows it: `node read.mjs PAGE [PICTURE]` prints one JSON object.
// Without a page the browser is only unpacked, below TMPDIR.

import { join } from "node:path";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { existsSync, writeFileSync } from "node:fs";
import chromium, { inflate, setupLambdaEnvironment } from "@sparticuz/chromium";
import { chromium as browsers } from "playwright-core";

const packed = fileURLToPath(new URL("../bin/", import.meta.resolve("@sparticuz/chromium")));
if (!existsSync(join(tmpdir(), "al2023"))) await inflate(join(packed, "al2023.tar.br"));
setupLambdaEnvironment(join(tmpdir(), "al2023", "lib"));

// The package's own fonts.conf names folders of Lambda; without a font, every text is empty.
const fonts = join(tmpdir(), "fonts.conf");
writeFileSync(
  fonts,
  `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
  <fontconfig><dir>${join(tmpdir(), "fonts")}</dir><cachedir>${join(tmpdir(), "cache")}</cachedir></fontconfig>`,
);
process.env.FONTCONFIG_FILE = fonts;
chromium.setGraphicsMode = false;
const executablePath = await chromium.executablePath();

const [url, picture] = process.argv.slice(2);
if (url) {
  const browser = await browsers.launch({ executablePath, args: chromium.args, headless: true });
  const page = await browser.newPage({ viewport: { width: 1000, height: 1120 } });
  const asked = [];
  const wrong = [];
  page.on("request", (request) => asked.push(request.url()));
  page.on("console", (message) => wrong.push(message.text()));
  page.on("pageerror", (error) => wrong.push(String(error)));
  await page.goto(url);
  const read = await page.evaluate(() => ({
    title: document.title,
    text: document.body.innerText,
    verdict: document.querySelector("#verdict")?.innerText,
    numbers: Object.fromEntries(
      [...document.querySelectorAll("#numbers div")].map((each) => [
        each.querySelector("dt").innerText,
        each.querySelector("dd").innerText,
      ]),
    ),
    tables: [...document.querySelectorAll("table")].map((table) =>
      [...table.querySelectorAll("tr")].map((row) =>
        [...row.children].map((cell) => cell.innerText),
      ),
    ),
    bands: [...document.querySelectorAll("svg [id^=band-]")].map((band) => {
      const box = band.getBoundingClientRect();
      return { id: band.id, left: box.left, width: box.width, height: box.height };
    }),
    labels: [...document.querySelectorAll("svg text")].map((each) => each.textContent.trim()),
  }));
  if (picture) await page.screenshot({ path: picture });
  await browser.close();
  console.log(JSON.stringify({ ...read, asked, wrong }));
}
