// The views of luci-app-mqttguard in a browser, as an owner uses them. Whoever runs this makes the
// house that they show, and looks afterwards at what was done there: `mqttguard_tests::luci::check`.
//
// node check.mjs URL BROWSER_DIRECTORY PICTURES_DIRECTORY_OR_'' MODULE...
//
// Each MODULE is a file in `checks`, with `checks`, functions by what they show to be true, which are
// given the tools, and `pages`, those that have to fit a phone. They run in this order, in one house.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import { tools } from './tools.mjs';

const [ url, directory, pictures, ...names ] = process.argv.slice(2);
const { chromium } = createRequire(directory + '/')('playwright-core');

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: [ '--no-sandbox' ] });
const context = await browser.newContext({ viewport: { width: 1100, height: 900 } });
context.setDefaultTimeout(15000);
const page = await context.newPage();
const complaints = [];
page.on('console', (message) => {
	if ([ 'error', 'warning' ].includes(message.type()))
		complaints.push(`${message.text()} (${message.location().url})`);
});
page.on('pageerror', (error) => complaints.push(String(error.stack)));
const t = tools(page, url, pictures);

async function fitsPhone(pages) {
	await page.setViewportSize({ width: 360, height: 740 });
	for (const [ path, name, how = {} ] of pages) {
		await t.open(path);
		await t.fits(name);
		await t.contrast(name);
		const [ place, hash ] = path.split('#');
		await t.open(place + '?dark' + (hash ? '#' + hash : ''));
		await t.contrast(name + ' in the dark');
		if (!how.unseen)
			await t.picture(`luci-${name}-phone`, how);
	}
	await page.setViewportSize({ width: 1100, height: 900 });
}

const modules = await Promise.all(names.map((name) => import(`./checks/${name}.mjs`)));
const checks = modules.flatMap((module) => Object.entries(module.checks));
checks.push([ 'everything fits a phone, in the dark too', async () => {
	for (const module of modules)
		await fitsPhone(await module.pages(t));
} ]);

let failed = 0;
for (const [ name, check ] of checks) {
	complaints.length = 0;
	t.expected.length = 0;
	try {
		await check(t);
		const unexpected = complaints.filter((text) => !t.expected.some((pattern) => pattern.test(text)));
		assert.deepEqual(unexpected, [], 'the console of the browser');
		console.log('good    ' + name);
	}
	catch (error) {
		failed += 1;
		console.log(`FAILED  ${name}\n${error.message}\nthe console: ${complaints.join('\n')}`);
		if (pictures)
			await page.screenshot({ path: join(pictures, `failed-${failed}.png`) }).catch(() => {});
	}
}
await browser.close();
process.exitCode = failed ? 1 : 0;
