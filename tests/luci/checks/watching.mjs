// A house in monitor mode, which the owner ends.

import assert from 'node:assert/strict';

const OVERVIEW = '/admin/services/mqttguard/overview';

export const checks = {
	async 'monitor mode is not called protection, and ends with a click'(t) {
		await t.open(OVERVIEW);
		await t.page.getByRole('heading', { name: 'Only watching' }).waitFor();
		await t.page.getByText('Only watching, mqttguard let it through.').first().waitFor();
		await t.picture('luci-overview-watching');
		await t.button('Start to block').click();
		await t.dialog.getByText('The configuration is saved and applied.', { exact: false }).waitFor();
		await t.dialog.getByRole('button', { name: 'Start to block' }).click();
		await t.page.getByText('mqttguard blocks from now on.').waitFor();
		await t.page.getByRole('heading', { name: 'Protected', exact: true }).waitFor();
	},

	async 'a guest is told of it, and cannot end it'(t) {
		await t.open(OVERVIEW + '?guest');
		assert.equal(await t.button('Start to block').count(), 0);
	}
};

/* The pages that have to fit a phone: `[path, name]`. */
export const pages = async () => [ [ OVERVIEW, 'overview-watching' ] ];
