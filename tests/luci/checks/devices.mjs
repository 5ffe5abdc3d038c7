// The table of devices, a device's page, and what the owner does there.

import assert from 'node:assert/strict';

const DEVICES = '/admin/services/mqttguard/devices';

export const checks = {
	async 'the table of devices is searched, filtered and sorted'(t) {
		await t.open(DEVICES);
		const rows = t.page.locator('tbody tr');
		const first = () => rows.first().locator('td').first().textContent();
		await t.page.getByText('4 devices').waitFor();
		assert.equal(await first(), 'camera');
		await t.button('Device').click();
		assert.equal(await first(), 'visitor');
		assert.equal(await t.page.getByRole('columnheader', { name: 'Device' }).getAttribute('aria-sort'), 'descending');
		// The focus stays where it was, though the table was made anew.
		assert.equal(await t.page.evaluate(() => document.activeElement.dataset.key), 'sort name');
		await t.accessible('devices');
		await t.picture('luci-devices');
		await t.page.getByLabel('Search').fill('LAMP');
		assert.equal(await rows.count(), 1);
		assert.equal(await first(), 'lamp');
		await t.page.getByLabel('Search').fill('');
		await t.page.getByLabel('State').selectOption('quarantined');
		await t.page.getByText('1 of 4 devices').waitFor();
		assert.equal(await first(), 'camera');
	},

	async 'a device has a page, and is released there'(t) {
		await t.open(DEVICES);
		await t.page.getByRole('link', { name: 'camera' }).click();
		await t.page.getByRole('heading', { name: 'camera' }).waitFor();
		await t.page.getByText(/Until /).waitFor();
		await t.accessible('device');
		await t.picture('luci-device');
		await t.button('Release').click();
		await t.page.getByText('camera is free again.').waitFor();
		await t.button('Block').waitFor();
		await t.page.goBack();
		await t.page.getByText('4 devices').waitFor();
	},

	async 'a device is enrolled, by keyboard alone, and its password shown once'(t) {
		await t.open(DEVICES + '#' + await t.macOf('visitor'));
		await t.button('Enrol').focus();
		await t.page.keyboard.press('Enter');
		await t.dialog.waitFor();
		await t.page.keyboard.press('Escape');
		await t.dialog.waitFor({ state: 'hidden' });
		assert.equal(await t.page.evaluate(() => document.activeElement.textContent), 'Enrol');
		await t.page.keyboard.press('Enter');
		await t.page.keyboard.type('guest-room');
		await t.page.keyboard.press('Tab');
		await t.page.keyboard.press('Tab');
		await t.page.keyboard.press('Tab');
		await t.page.keyboard.press('Enter');
		await t.dialog.getByText('The password is shown only now.', { exact: false }).waitFor();
		assert.equal(await t.dialog.locator('code').first().textContent(), 'guest-room');
		const password = await t.dialog.locator('code').nth(1).textContent();
		assert.ok(password.length >= 16, password);
		await t.button('I have put it into the device').click();
		await t.page.getByRole('button', { name: 'New password' }).waitFor();
		assert.ok(!(await t.page.content()).includes(password), 'the password is still in the page');
	},

	async 'the daemon\'s own words say why it refuses'(t) {
		await t.open(DEVICES + '#' + await t.macOf('plug'));
		await t.button('Enrol').click();
		await t.dialog.getByLabel('Profile').fill('no-such-profile');
		await t.dialog.getByRole('button', { name: 'Enrol' }).click();
		await t.dialog.getByRole('alert').getByText('no-such-profile', { exact: false }).waitFor();
	},

	async 'a device is blocked, and says so'(t) {
		await t.open(DEVICES + '#' + await t.macOf('plug'));
		await t.button('Block').click();
		await t.dialog.getByLabel('Why').fill('<b>smells</b>');
		await t.dialog.getByRole('button', { name: 'Block', exact: true }).click();
		await t.page.getByText('plug is blocked.').waitFor();
		await t.page.getByText('<b>smells</b>').first().waitFor();
		await t.button('Unblock').waitFor();
	},

	async 'whoever may only look changes nothing'(t) {
		await t.open(DEVICES + '?guest#' + await t.macOf('camera'));
		await t.button('Block').click();
		await t.dialog.getByRole('button', { name: 'Block', exact: true }).click();
		await t.dialog.getByRole('alert').getByText('You may look, but not change anything here.').waitFor();
	},

	async 'an unknown device is told as such'(t) {
		await t.open(DEVICES + '#02:00:00:00:00:99');
		await t.page.getByRole('alert').waitFor();
	}
};

/* The pages that have to fit a phone: `[path, name]`. */
export const pages = async (t) => [
	[ DEVICES, 'devices' ], [ DEVICES + '#' + await t.macOf('camera'), 'device' ]
];
