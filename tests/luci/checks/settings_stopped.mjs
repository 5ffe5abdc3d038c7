// Enrol and Settings while the daemon is not running.

import assert from 'node:assert/strict';

const ENROL = '/admin/services/mqttguard/enrol';
const SETTINGS = '/admin/services/mqttguard/settings';

export const checks = {
	async 'nothing is enrolled where nobody answers'(t) {
		await t.open(ENROL);
		await t.page.getByRole('alert').getByText('mqttguard is not running.', { exact: false }).waitFor();
		assert.equal(await t.page.getByRole('combobox').count(), 0);
	},

	async 'the settings can be read and corrected all the same'(t) {
		await t.open(SETTINGS);
		await t.page.getByRole('alert').first().getByText('mqttguard is not running.', { exact: false }).waitFor();
		assert.equal(await t.page.getByLabel('What is done about plaintext MQTT').inputValue(), 'monitor');
		await t.accessible('settings without the daemon');
	}
};

/* Nobody needs pictures of them. */
export const pages = async () => [ [ ENROL, 'enrol-stopped', { unseen: true } ], [ SETTINGS, 'settings-stopped', { unseen: true } ] ];
