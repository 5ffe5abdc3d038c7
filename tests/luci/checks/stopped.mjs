// A house whose daemon is not running.

import assert from 'node:assert/strict';

const OVERVIEW = '/admin/services/mqttguard/overview';
const DEVICES = '/admin/services/mqttguard/devices';
const LIVE = '/admin/services/mqttguard/live';
const ENROL = '/admin/services/mqttguard/enrol';
const REPORT = '/admin/services/mqttguard/report';

export const checks = {
	async 'without the daemon the house is not protected, and how to start it is said'(t) {
		await t.open(OVERVIEW);
		await t.page.getByRole('heading', { name: 'Not protected' }).waitFor();
		const link = t.page.getByRole('link', { name: 'System, Startup' });
		assert.match(await link.getAttribute('href'), /admin\/system\/startup$/);
		// Nothing of before is shown as if it were now.
		assert.equal(await t.page.getByRole('heading', { name: 'The last hour' }).count(), 0);
	},

	async 'the other pages say so too'(t) {
		for (const path of [ DEVICES, DEVICES + '#02:00:00:00:00:01', LIVE, ENROL, REPORT ]) {
			await t.open(path);
			await t.page.getByRole('alert').getByText('mqttguard is not running.', { exact: false }).waitFor();
			await t.page.getByRole('link', { name: 'System, Startup' }).waitFor();
		}
	}
};

/* The pages that have to fit a phone: `[path, name]`. */
export const pages = async () => [ [ OVERVIEW, 'overview-stopped' ] ];
