// Do what a person does: `node visit.mjs < STEPS` takes a list of steps, and prints a JSON list.
// A step may have, in this order: size [width, height], goto, fill [selector, text], press, click,
// wait (for a selector), shot (a file). `run`, a script, adds what it gives to the list.

import { open } from "./open.mjs";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const steps = JSON.parse(Buffer.concat(chunks).toString());

const browser = await open();
const context = await browser.newContext();
await context.grantPermissions(["clipboard-read", "clipboard-write"]);
const page = await context.newPage();
page.setDefaultTimeout(15_000);
page.on("dialog", (dialog) => dialog.accept());
const wrong = [];
page.on("pageerror", (error) => wrong.push(String(error)));
const found = [];
for (const step of steps) {
  if (step.size) await page.setViewportSize({ width: step.size[0], height: step.size[1] });
  if (step.goto) await page.goto(step.goto);
  if (step.fill) await page.fill(...step.fill);
  if (step.press) await page.keyboard.press(step.press);
  if (step.click) await page.click(step.click);
  if (step.wait) await page.waitForSelector(step.wait);
  if (step.run) found.push(await page.evaluate(step.run));
  if (step.shot) await page.screenshot({ path: step.shot });
}
await browser.close();
console.log(JSON.stringify({ found, wrong }));
