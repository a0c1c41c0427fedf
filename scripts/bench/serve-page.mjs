// Uses the page of a running server as a person does: types a text and a question, clicks, and takes pictures: light, dark, narrow.
//
//   npm install --no-save puppeteer-core && node scripts/bench/serve-page.mjs http://127.0.0.1:8080/ [FOLDER for the pictures]
//
// Needs Node and Chromium (CHROMIUM names it, /usr/bin/chromium if not). Fails if the page logs anything or scrolls sideways.
import assert from "node:assert";
import puppeteer from "puppeteer-core";

const [url, folder = "."] = process.argv.slice(2);
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const browser = await puppeteer.launch({ executablePath, args: ["--no-sandbox"] });
for (const [name, width, scheme] of [["light", 900, "light"], ["dark", 900, "dark"], ["narrow", 360, "light"]]) {
  const page = await browser.newPage();
  const complaints = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.setViewport({ width, height: 900 });
  await page.goto(url);
  const type = async (selector, text) => {
    await page.$eval(selector, (field) => (field.value = ""));
    await page.type(selector, text);
  };
  await type("#context", "Das Haus 👩‍🔬 is old. The dome was rebuilt by Ida Varnen after the fire of 1952.");
  await type("#question", "Who rebuilt the dome?");
  await page.click("#ask");
  await page.waitForSelector("#result:not([hidden])");
  const text = (selector) => page.$eval(selector, (element) => element.textContent);
  const answer = await text("#answer");
  if (await page.$("#highlighted mark")) {
    assert.equal(await text("#highlighted mark"), answer);
  }
  assert(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "it scrolls sideways");
  assert.deepEqual(complaints, []);
  await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
  console.log(`${name}: ${answer}, ${await text("#confidence")}`);
}
await browser.close();
