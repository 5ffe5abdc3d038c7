// The report: the house against security baselines.

import assert from 'node:assert/strict';

const REPORT = '/admin/services/mqttguard/report';

/* The item of a standard, by its clause. */
function item(t, clause) {
	return t.page.locator('.mqttguard-item').filter({ has: t.page.getByText(clause, { exact: true }) });
}

export const checks = {
	async 'the report has every item of its standards, and says that it is no certification'(t) {
		await t.open(REPORT);
		await t.page.getByText('This report is no certification', { exact: false }).waitFor();
		for (const name of [ 'ETSI EN 303 645 V2.1.1', 'NIST IR 8425A', 'OWASP IoT Top 10, 2018' ])
			await t.page.getByRole('heading', { name, level: 3 }).waitFor();
		const items = await t.page.locator('.mqttguard-item').count();
		assert.ok(items > 50, `${items} items`);
		await t.page.getByText(`${items} of ${items} items`).waitFor();
		const text = await t.page.locator('.mqttguard-report').textContent();
		assert.ok(!text.includes('%s') && !text.includes('undefined'), text);
		await t.accessible('report');
		await t.picture('luci-report', { whole: false });
	},

	async 'items are folded to a line each, and what mends them stands above'(t) {
		await t.open(REPORT);
		const one = item(t, '5.1-1'), said = one.locator('p').first();
		assert.ok(await said.isHidden());
		await one.locator('summary').focus();
		await t.page.keyboard.press('Enter');
		await said.waitFor();
		const act = t.page.locator('.mqttguard-mending li').filter({ hasText: 'Enrol these devices.' });
		assert.match(await act.textContent(), /\(\d+ items?\)/);
		assert.match(await act.getByRole('link').getAttribute('href'), /mqttguard\/enrol/);
		await t.button('Unfold all').click();
		assert.equal(await t.page.locator('.mqttguard-item:not([open])').count(), 0);
		await t.accessible('report, unfolded');
		await t.fits('report, unfolded');
		await t.page.getByRole('button', { name: 'Fold all', exact: true }).click();
		assert.equal(await t.page.locator('.mqttguard-item[open]').count(), 0);
	},

	async 'on paper nothing is folded'(t) {
		await t.open(REPORT);
		await t.page.evaluate(() => window.addEventListener('beforeprint', () => {
			window.folded = document.querySelectorAll('.mqttguard-item:not([open])').length;
		}));
		assert.equal(await t.page.evaluate(() => window.folded), undefined);
		await t.page.pdf();
		assert.equal(await t.page.evaluate(() => window.folded), 0);
		assert.equal(await t.page.locator('.mqttguard-item[open]').count(), 0);
	},

	async 'an item names the devices it does not hold for, and leads to them'(t) {
		await t.open(REPORT);
		// The house of this test has a lamp that does it right, and others that do not.
		const passwords = item(t, '5.1-1');
		await t.button('Unfold all').click();
		await passwords.getByText('Not for these devices:').waitFor();
		await passwords.getByText('Enrol these devices.').waitFor();
		assert.equal(await passwords.getByRole('link', { name: 'lamp' }).count(), 0);
		const updates = item(t, '5.3-1 to 5.3-14');
		await updates.getByText('Outside', { exact: true }).waitFor();
		const link = passwords.locator('li a').first(), name = await link.textContent();
		await link.click();
		await t.page.getByRole('heading', { name, level: 2 }).waitFor();
	},

	async 'only what is open is shown on request'(t) {
		await t.open(REPORT);
		await t.page.getByLabel('Only what is open').check();
		assert.equal(await t.page.locator('.mqttguard-item .mqttguard-finding.holds').count(), 0);
		assert.equal(await t.page.locator('.mqttguard-item .mqttguard-finding.outside').count(), 0);
		assert.ok(await t.page.locator('.mqttguard-item').count() > 0);
		await t.button('Make it anew').click();
		await t.page.getByLabel('Only what is open').waitFor();
		assert.ok(await t.page.getByLabel('Only what is open').isChecked());
	},

	async 'it is printed on white, without menus, and no item is torn'(t) {
		await t.open(REPORT + '?dark');
		await t.page.emulateMedia({ media: 'print' });
		const seen = await t.page.evaluate(() => ({
			menus: [ ...document.querySelectorAll('header, .mqttguard-report button, .mqttguard-report input') ]
				.filter((node) => node.getClientRects().length).length,
			white: getComputedStyle(document.body).backgroundColor,
			black: [ ...new Set([ ...document.querySelectorAll('.mqttguard-report *') ]
				.map((node) => getComputedStyle(node).color)) ],
			torn: [ ...document.querySelectorAll('.mqttguard-item') ]
				.filter((node) => getComputedStyle(node).breakInside != 'avoid').length
		}));
		await t.page.emulateMedia({ media: null });
		assert.deepEqual(seen, { menus: 0, white: 'rgb(255, 255, 255)', black: [ 'rgb(0, 0, 0)' ], torn: 0 });
	},

	async 'it can be read by who may only look'(t) {
		await t.open(REPORT + '?guest');
		await t.page.locator('.mqttguard-item').first().waitFor();
	}
};

/* The pages that have to fit a phone: `[path, name]`. */
export const pages = async () => [ [ REPORT, 'report', { whole: false } ] ];
