// What the overview says, and the decisions that it asks for.

import assert from 'node:assert/strict';

const OVERVIEW = '/admin/services/mqttguard/overview';
const DEVICES = '/admin/services/mqttguard/devices';

export const checks = {
	async 'the overview says that the house is protected, and why not if it is not'(t) {
		await t.open(OVERVIEW);
		await t.page.getByRole('heading', { name: 'Protected', exact: true }).waitFor();
		assert.match(await t.page.locator('[data-counter=plaintext]').textContent(), /[1-9]/);
		assert.match(await t.page.locator('[data-counter=messages]').textContent(), /[1-9]/);
		await t.page.getByRole('cell', { name: 'Works: frames were seen' }).first().waitFor();
		await t.accessible('overview');
		await t.picture('luci-overview');
	},

	async 'an event comes with the action that fits, and a hostile name stays text'(t) {
		await t.open(OVERVIEW);
		await t.page.getByText(/plug tried to send unencrypted MQTT to 203\.0\.113\.10/).first().waitFor();
		await t.page.getByText('<img src=x onerror="window.hostile = 1">').first().waitFor();
		assert.equal(await t.page.evaluate(() => window.hostile), undefined);
		assert.equal(await t.page.locator('#view img').count(), 0);
	},

	async 'the owner allows what was blocked, for an hour'(t) {
		await t.open(OVERVIEW);
		await t.button('Allow this: plug').first().click();
		await t.dialog.getByLabel('For', { exact: true }).selectOption('3600');
		await t.accessible('dialog');
		await t.picture('luci-allow');
		await t.dialog.getByRole('button', { name: 'Allow', exact: true }).click();
		await t.page.getByText(/^plug may send unencrypted MQTT until/).waitFor();
		await t.open(DEVICES + '#' + await t.macOf('plug'));
		await t.page.getByRole('button', { name: /^Withdraw/ }).waitFor();
	},

	async 'the owner keeps something blocked, and is not asked again'(t) {
		await t.open(OVERVIEW);
		const asked = t.button('Keep blocked: plug');
		const before = await asked.count();
		await asked.first().click();
		await t.page.getByText('Stays blocked').first().waitFor();
		assert.equal(await asked.count(), before - 1);
	}
};

/* The pages that have to fit a phone: `[path, name]`. */
export const pages = async () => [ [ OVERVIEW, 'overview' ] ];
