// The views of luci-app-mqttguard in a browser, as an owner uses them. tests/tests/luci.rs makes the
// house that they show, and looks afterwards at what was done there.
//
// node check.mjs URL BROWSER_DIRECTORY [PICTURES]

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [ url, directory, pictures ] = process.argv.slice(2);
const { chromium } = createRequire(directory + '/')('playwright-core');

const OVERVIEW = '/admin/services/mqttguard/overview';
const DEVICES = '/admin/services/mqttguard/devices';
const STATUS = '/admin/status/overview';

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

const button = (name) => page.getByRole('button', { name });
const dialog = page.getByRole('dialog');

async function open(path) {
	// A page of its own each time: a new hash alone would not load it anew.
	await page.goto('about:blank');
	await page.goto(url + path);
	await page.waitForSelector('.mqttguard');
}

async function picture(name) {
	if (pictures)
		await page.screenshot({ path: join(pictures, name + '.png'), fullPage: true, animations: 'disabled' });
}

/* What a reader of the screen, a keyboard and a narrow screen need, of any page. */
async function accessible(what) {
	const faults = await page.evaluate(() => {
		const faults = [], shown = (node) => node.getClientRects().length > 0;
		document.querySelectorAll('#view button, #view input, #view select, #view a, .modal button, .modal input, .modal select')
			.forEach((node) => {
				const name = node.getAttribute('aria-label') || node.textContent.trim() ||
					[ ...(node.labels || []) ].map((label) => label.textContent.trim()).join(' ');
				if (shown(node) && !name)
					faults.push('no name: ' + node.outerHTML);
				if (node.tabIndex < 0)
					faults.push('out of a keyboard\'s reach: ' + node.outerHTML);
			});
		let level = 0;
		document.querySelectorAll('#view h2, #view h3, #view h4, #view h5').forEach((node) => {
			const own = Number(node.tagName[1]);
			if (level && own > level + 1)
				faults.push('a heading skips a level: ' + node.textContent);
			level = own;
		});
		document.querySelectorAll('[id]').forEach((node) => {
			if (document.querySelectorAll('#' + CSS.escape(node.id)).length > 1)
				faults.push('an id twice: ' + node.id);
		});
		return faults;
	});
	assert.deepEqual(faults, [], what);
}

async function fits(what) {
	const { wide, over } = await page.evaluate(() => ({
		wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
		over: [ ...document.querySelectorAll('#view *') ]
			.filter((node) => node.getBoundingClientRect().right > innerWidth + 1).map((node) => node.outerHTML.slice(0, 200))
	}));
	assert.ok(wide <= 0, `${what} is ${wide} pixels wider than the screen: ${over.slice(0, 3)}`);
}

/* How light text is against what is behind it, as WCAG 2 counts it: at least 4.5 for small text. */
async function contrast(what) {
	const faint = await page.evaluate(() => {
		const channels = (colour) => (colour.match(/[\d.]+/g) || []).map(Number);
		const light = (colour) => channels(colour).slice(0, 3).map((value) => value / 255)
			.map((value) => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
			.reduce((sum, value, at) => sum + value * [ 0.2126, 0.7152, 0.0722 ][at], 0);
		const behind = (node) => {
			for (; node; node = node.parentElement) {
				const colour = getComputedStyle(node).backgroundColor, alpha = channels(colour)[3];
				if (alpha === undefined || alpha > 0.5)
					return colour;
			}
			return 'rgb(255, 255, 255)';
		};
		return [ ...document.querySelectorAll('.mqttguard p, .mqttguard h3, .mqttguard dt, .mqttguard dd, .mqttguard td, .mqttguard .message, .mqttguard-state') ]
			.filter((node) => node.getClientRects().length && node.textContent.trim())
			.map((node) => {
				const [ a, b ] = [ light(getComputedStyle(node).color), light(behind(node)) ];
				return [ (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), node ];
			})
			.filter(([ ratio ]) => ratio < 4.5)
			.map(([ ratio, node ]) => `${ratio.toFixed(1)}: ${node.outerHTML.slice(0, 120)}`);
	});
	assert.deepEqual(faint, [], what);
}

const checks = {
	async 'the overview says that the house is protected, and why not if it is not'() {
		await open(OVERVIEW);
		await page.getByRole('heading', { name: 'Protected', exact: true }).waitFor();
		assert.match(await page.locator('[data-counter=plaintext]').textContent(), /[1-9]/);
		assert.match(await page.locator('[data-counter=messages]').textContent(), /[1-9]/);
		await page.getByRole('cell', { name: 'Works: frames were seen' }).first().waitFor();
		await accessible('overview');
		await picture('luci-overview');
	},

	async 'an event comes with the action that fits, and a hostile name stays text'() {
		await open(OVERVIEW);
		await page.getByText(/plug tried to send unencrypted MQTT to 203\.0\.113\.10/).first().waitFor();
		await page.getByText('<img src=x onerror="window.hostile = 1">').first().waitFor();
		assert.equal(await page.evaluate(() => window.hostile), undefined);
		assert.equal(await page.locator('#view img').count(), 0);
	},

	async 'the owner allows what was blocked, for an hour'() {
		await open(OVERVIEW);
		await button('Allow this: plug').first().click();
		await dialog.getByLabel('For', { exact: true }).selectOption('3600');
		await accessible('dialog');
		await picture('luci-allow');
		await dialog.getByRole('button', { name: 'Allow', exact: true }).click();
		await page.getByText(/^plug may send unencrypted MQTT until/).waitFor();
		await open(DEVICES + '#' + await macOf('plug'));
		await page.getByRole('button', { name: /^Withdraw/ }).waitFor();
	},

	async 'the owner keeps something blocked, and is not asked again'() {
		await open(OVERVIEW);
		const asked = button('Keep blocked: plug');
		const before = await asked.count();
		await asked.first().click();
		await page.getByText('Stays blocked').first().waitFor();
		assert.equal(await asked.count(), before - 1);
	},

	async 'the table of devices is searched, filtered and sorted'() {
		await open(DEVICES);
		const rows = page.locator('tbody tr');
		const first = () => rows.first().locator('td').first().textContent();
		await page.getByText('4 devices').waitFor();
		assert.equal(await first(), 'camera');
		await button('Device').click();
		assert.equal(await first(), 'visitor');
		assert.equal(await page.getByRole('columnheader', { name: 'Device' }).getAttribute('aria-sort'), 'descending');
		// The focus stays where it was, though the table was made anew.
		assert.equal(await page.evaluate(() => document.activeElement.dataset.key), 'sort name');
		await accessible('devices');
		await picture('luci-devices');
		await page.getByLabel('Search').fill('LAMP');
		assert.equal(await rows.count(), 1);
		assert.equal(await first(), 'lamp');
		await page.getByLabel('Search').fill('');
		await page.getByLabel('State').selectOption('quarantined');
		await page.getByText('1 of 4 devices').waitFor();
		assert.equal(await first(), 'camera');
	},

	async 'a device has a page, and is released there'() {
		await open(DEVICES);
		await page.getByRole('link', { name: 'camera' }).click();
		await page.getByRole('heading', { name: 'camera' }).waitFor();
		await page.getByText(/Until /).waitFor();
		await accessible('device');
		await picture('luci-device');
		await button('Release').click();
		await page.getByText('camera is free again.').waitFor();
		await button('Block').waitFor();
		await page.goBack();
		await page.getByText('4 devices').waitFor();
	},

	async 'a device is enrolled, by keyboard alone, and its password shown once'() {
		await open(DEVICES + '#' + await macOf('visitor'));
		await button('Enrol').focus();
		await page.keyboard.press('Enter');
		await dialog.waitFor();
		await page.keyboard.press('Escape');
		await dialog.waitFor({ state: 'hidden' });
		assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Enrol');
		await page.keyboard.press('Enter');
		await page.keyboard.type('guest-room');
		await page.keyboard.press('Tab');
		await page.keyboard.press('Tab');
		await page.keyboard.press('Tab');
		await page.keyboard.press('Enter');
		await dialog.getByText('The password is shown only now.', { exact: false }).waitFor();
		assert.equal(await dialog.locator('code').first().textContent(), 'guest-room');
		const password = await dialog.locator('code').nth(1).textContent();
		assert.ok(password.length >= 16, password);
		await button('I have put it into the device').click();
		await page.getByRole('button', { name: 'New password' }).waitFor();
		assert.ok(!(await page.content()).includes(password), 'the password is still in the page');
	},

	async 'the daemon\'s own words say why it refuses'() {
		await open(DEVICES + '#' + await macOf('plug'));
		await button('Enrol').click();
		await dialog.getByLabel('Profile').fill('no-such-profile');
		await dialog.getByRole('button', { name: 'Enrol' }).click();
		await dialog.getByRole('alert').getByText('no-such-profile', { exact: false }).waitFor();
	},

	async 'a device is blocked, and says so'() {
		await open(DEVICES + '#' + await macOf('plug'));
		await button('Block').click();
		await dialog.getByLabel('Why').fill('<b>smells</b>');
		await dialog.getByRole('button', { name: 'Block', exact: true }).click();
		await page.getByText('plug is blocked.').waitFor();
		await page.getByText('<b>smells</b>').first().waitFor();
		await button('Unblock').waitFor();
	},

	async 'whoever may only look changes nothing'() {
		await open(DEVICES + '?guest#' + await macOf('camera'));
		await button('Block').click();
		await dialog.getByRole('button', { name: 'Block', exact: true }).click();
		await dialog.getByRole('alert').getByText('You may look, but not change anything here.').waitFor();
	},

	async 'an unknown device is told as such'() {
		await open(DEVICES + '#02:00:00:00:00:99');
		await page.getByRole('alert').waitFor();
	},

	async 'the status page of LuCI has a part about it'() {
		await open(STATUS);
		await page.getByRole('link', { name: 'See more' }).waitFor();
		await picture('luci-status');
	},

	async 'everything fits a phone, in the dark too'() {
		await page.setViewportSize({ width: 360, height: 740 });
		for (const [ path, name ] of [ [ OVERVIEW, 'overview' ], [ DEVICES, 'devices' ],
			[ DEVICES + '#' + await macOf('camera'), 'device' ], [ STATUS, 'status' ] ]) {
			await open(path);
			await fits(name);
			await contrast(name);
			const [ place, hash ] = path.split('#');
			await open(place + '?dark' + (hash ? '#' + hash : ''));
			await contrast(name + ' in the dark');
			await picture(`luci-${name}-phone`);
		}
		await page.setViewportSize({ width: 1100, height: 900 });
	}
};

async function macOf(name) {
	const answer = await page.request.post(new URL('/ubus/', url).href, { data: {
		jsonrpc: '2.0', id: 1, method: 'call',
		params: [ '00000000000000000000000000000001', 'mqttguard', 'device', { device: name } ]
	} });
	return (await answer.json()).result[1].mac;
}

let failed = 0;
for (const [ name, check ] of Object.entries(checks)) {
	complaints.length = 0;
	try {
		await check();
		assert.deepEqual(complaints, [], 'the console of the browser');
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
