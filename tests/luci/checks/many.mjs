// A house of a hundred devices and thousands of topics, as quick as one of three.

import assert from 'node:assert/strict';

const DEVICES = '/admin/services/mqttguard/devices';
const LIVE = '/admin/services/mqttguard/live';

/* How long something may take in the page, in milliseconds. A phone is some times slower than this. */
const TABLE = 400;
const TREE = 3000;

/* How long it took, in milliseconds, until the page had done `act` and laid itself out. */
async function took(t, what, act, most) {
	const time = await t.page.evaluate((act) => {
		const start = performance.now();
		(0, eval)(act);
		document.body.offsetHeight;
		return performance.now() - start;
	}, act);
	console.log(`        ${what}: ${Math.round(time)} ms`);
	assert.ok(time < most, `${what} took ${time} ms`);
}

export const checks = {
	async 'a hundred devices are searched, sorted and filtered at once'(t) {
		await t.open(DEVICES);
		await t.page.getByText('121 devices').waitFor();
		assert.equal(await t.page.locator('tbody tr').count(), 121);
		const type = (text) => `const field = document.getElementById('mqttguard-search');
			field.value = '${text}'; field.dispatchEvent(new Event('input'))`;
		await took(t, 'search in 121 devices', `{ ${type('192.168.77.19')} }`, TABLE);
		await t.page.getByText('10 of 121 devices').waitFor();
		await took(t, 'all 121 devices again', `{ ${type('')} }`, TABLE);
		await took(t, 'sort 121 devices', `document.querySelector('[data-key="sort address"]').click()`, TABLE);
		await t.page.getByLabel('State').selectOption('blocked');
		await t.page.getByText('5 of 121 devices').waitFor();
		await t.page.getByLabel('State').selectOption('');
		// What has not changed is not made anew when the page asks again.
		await t.page.evaluate(() => document.querySelectorAll('tbody tr').forEach((row) => { row.old = true; }));
		await t.again('devices');
		const kept = await t.page.evaluate(() => [ ...document.querySelectorAll('tbody tr') ].filter((row) => row.old).length);
		assert.ok(kept > 60, `only ${kept} of 121 rows were kept`);
	},

	async 'what runs on a device is seen and found'(t) {
		await t.open(DEVICES);
		await t.page.getByLabel('Search').fill('tasmota');
		await t.page.getByText('1 of 121 devices').waitFor();
		await t.page.getByRole('cell', { name: 'Tasmota', exact: true }).waitFor();
	},

	async 'of two thousand topics a thousand are a tree that can be used'(t) {
		await t.open(LIVE);
		await t.page.getByText(/^1000 topics\. There are more/).waitFor({ timeout: 30000 });
		// So many are not opened by themselves.
		assert.ok(await t.page.getByRole('treeitem').count() <= 30);
		await took(t, 'open 1000 topics', `[ ...document.querySelectorAll('.btn') ].find((one) => one.textContent == 'Open all').click()`, TREE);
		assert.ok(await t.page.getByRole('treeitem').count() >= 1000);
		await t.page.getByRole('treeitem').first().focus();
		await took(t, 'one step by keyboard', `document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowDown', bubbles: true }))`, TABLE);
		await t.page.getByLabel('Filter').fill('many/room7/#');
		// Values that had to make way are not among them.
		await t.page.getByText(/^(100|\d\d) topics\./).waitFor();
		await t.page.getByLabel('Filter').fill('no-such-topic');
		await t.page.getByText(/^0 of 1000 topics\./).waitFor();
	}
};

/* None: they are those of the other houses. */
export const pages = async () => [];
