// Open the browser of the tests: it is unpacked below TMPDIR when it is first opened.

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

export const open = () =>
  browsers.launch({ executablePath, args: chromium.args, headless: true });
