// The table of devices.

import assert from 'node:assert/strict';

const DEVICES = '/admin/services/mqttguard/devices';

export const checks = {
	async 'the table of devices is searched, filtered and sorted'(t) {
		await t.open(DEVICES);
		const rows = t.page.locator('tbody tr');
		const first = () => rows.first().locator('td').first().textContent();
		await t.page.getByText('5 devices').waitFor();
		assert.equal(await first(), 'camera');
		await t.button('Device').click();
		assert.equal(await first(), 'visitor');
		assert.equal(await t.page.getByRole('columnheader', { name: 'Device' }).getAttribute('aria-sort'), 'descending');
		// The focus stays where it was.
		assert.equal(await t.page.evaluate(() => document.activeElement.dataset.key), 'sort name');
		await t.accessible('devices');
		await t.picture('luci-devices');
		await t.page.getByLabel('Search').fill('LAMP');
		assert.equal(await rows.count(), 1);
		assert.equal(await first(), 'lamp');
		await t.page.getByLabel('Search').fill('');
		await t.page.getByLabel('State').selectOption('quarantined');
		await t.page.getByText('1 of 5 devices').waitFor();
		assert.equal(await first(), 'camera');
	},

	async 'the table can be asked for one state'(t) {
		await t.open(DEVICES + '#?state=enrolled');
		await t.page.getByText('2 of 5 devices').waitFor();
		assert.equal(await t.page.getByLabel('State').inputValue(), 'enrolled');
	},

	async 'an unknown device is told as such'(t) {
		await t.open(DEVICES + '#02:00:00:00:00:99');
		await t.page.getByRole('alert').waitFor();
		await t.open(DEVICES + '#%E0%A4%A');
		await t.page.getByText('5 devices').waitFor();
	}
};

/* The pages that have to fit a phone: `[path, name]`. */
export const pages = async () => [ [ DEVICES, 'devices' ] ];
