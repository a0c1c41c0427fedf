// What scripts/bench/page-checks does in the browser: node page-checks.mjs OUTPUT PAGE.html …
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import puppeteer from "puppeteer-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const [output, ...files] = process.argv.slice(2);
const WIDE = 1280, NARROW = 390;
// A4 less the margins of the style sheet, in CSS pixels.
const PAPER = { width: 687, height: 1009 };
let failures = 0;

function check(what, problem) {
  if (!problem || problem.length === 0) return;
  failures += 1;
  console.log(`  ${what}: ${typeof problem === "string" ? problem : JSON.stringify(problem)}`);
}

async function open(browser, file, { width, scheme, script = true, media = "screen" }) {
  const page = await browser.newPage();
  const said = [];
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(String(error)));
  page.on("request", (request) => request.url() === `file://${file}` || said.push(`loads ${request.url()}`));
  await page.setJavaScriptEnabled(script);
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaType(media);
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.goto(`file://${file}`);
  return { page, said };
}

// What filter, search and order do to the list.
async function browse(page) {
  const wrong = [];
  const state = () => page.$$eval("#errors > li", (items) => items.map((item) => ({ ...item.dataset, shown: item.offsetHeight > 0, text: item.textContent.toLowerCase() })));
  const all = await state();
  if (all.length === 0) return wrong;
  const expect = async (what, fits) => {
    const shown = (await state()).filter((item) => item.shown);
    const expected = all.filter(fits).length;
    if (shown.length !== expected || !shown.every(fits)) wrong.push(`${what}: ${shown.length} shown, ${expected} fit`);
    const said = await page.$eval("#shown", (output) => output.textContent);
    if (said !== `${expected} of ${all.length} shown`) wrong.push(`${what}: "${said}"`);
  };
  await expect("no filter", () => true);
  const category = all[0].category;
  await page.select("#category", category);
  await expect("category", (item) => item.category === category);
  const slice = all[0].slices.split(" ")[0];
  await page.select("#slice", slice);
  const fits = (item) => item.category === category && item.slices.split(" ").includes(slice);
  await expect("slice and category", fits);
  await page.select("#category", "");
  await page.select("#slice", "");
  const word = all[all.length - 1].text.split(/\s+/).find((part) => part.length > 4);
  await page.type("#search", word);
  await expect(`search for ${word}`, (item) => item.text.includes(word));
  await page.$eval("#search", (input) => { input.value = ""; input.dispatchEvent(new Event("input")); });
  for (const [order, key, sign] of [["change", "change", 1], ["data", "row", 1], ["confidence", "confidence", -1]]) {
    await page.select("#order", order);
    const values = (await state()).map((item) => sign * Number(item[key]));
    if (values.some((value, index) => index > 0 && value < values[index - 1])) wrong.push(`order by ${order}`);
  }
  return wrong;
}

const browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
for (const file of files) {
  const name = basename(file, ".html");
  console.log(name);
  for (const [look, width, scheme] of [["light", WIDE, "light"], ["dark", WIDE, "dark"], ["phone", NARROW, "light"]]) {
    const { page, said } = await open(browser, file, { width, scheme });
    check(`${look}: sideways`, (await page.evaluate(() => document.documentElement.scrollWidth)) > width ? "it scrolls" : "");
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => axe.run({ resultTypes: ["violations"] }));
    check(`${look}: axe`, violations.map(({ id, nodes }) => `${id} (${nodes.length}): ${nodes[0].html.slice(0, 120)}`));
    if (look === "light") check("browsing", await browse(page));
    check(`${look}: console`, said);
    await page.screenshot({ path: join(output, `${name}-${look}.png`), clip: { x: 0, y: 0, width, height: 4000 }, captureBeyondViewport: true });
    await page.close();
  }
  const plain = await open(browser, file, { width: WIDE, scheme: "light", script: false });
  const shown = await plain.page.$$eval("#errors > li", (items) => items.filter((item) => item.offsetHeight === 0).length);
  check("without JavaScript", shown > 0 ? `${shown} answers are hidden` : "");
  const controls = await plain.page.$$eval("#browse", (found) => found.filter((element) => element.offsetHeight > 0).length);
  check("without JavaScript", controls > 0 ? "controls are shown that do nothing" : "");
  await plain.page.close();
  const paper = await open(browser, file, { width: PAPER.width, scheme: "light", media: "print" });
  const tall = await paper.page.$$eval("figure", (figures, limit) => figures.map((figure) => [figure.id, figure.offsetHeight, getComputedStyle(figure).breakInside])
    .filter(([, height, inside]) => height > limit || inside !== "avoid"), PAPER.height);
  check("print: charts that may be cut", tall);
  await paper.page.pdf({ path: join(output, `${name}.pdf`), format: "A4", preferCSSPageSize: true, printBackground: false });
  await paper.page.close();
}
await browser.close();
console.log(failures === 0 ? "no problem found" : `${failures} problems`);
process.exit(failures === 0 ? 0 : 1);
