// Pages of a daemon that goes and comes back, as it does when it is upgraded. The house has a lamp, and
// its daemon is not running at first.

import assert from 'node:assert/strict';

const PLACE = '/admin/services/mqttguard/';

const silent = (t) => t.page.getByRole('alert').getByText('mqttguard is not running.', { exact: false });

/* Waits until the daemon answers, or does not, where the page does not ask by itself. */
async function answering(t, wanted) {
	const status = { jsonrpc: '2.0', id: 1, method: 'call', params: [ '00000000000000000000000000000001', 'mqttguard', 'status', {} ] };
	const answers = async () => 'result' in await (await t.page.request.post(new URL('/ubus/', t.url).href, { data: status })).json();
	for (let tries = 0; await answers() !== wanted; ++tries) {
		assert.ok(tries < 100, `answering: ${wanted}`);
		await t.page.waitForTimeout(100);
	}
}

/* Has the daemon stopped, and waits until the page says so. */
async function gone(t) {
	t.house('stop');
	await silent(t).first().waitFor();
}

/* Has it started, and waits until nothing on the page says that it is not there. */
async function back(t) {
	t.house('start');
	await silent(t).first().waitFor({ state: 'hidden' });
}

export const checks = {
	async 'a page that was opened while the daemon was away comes with it'(t) {
		await t.open(PLACE + 'enrol');
		await silent(t).waitFor();
		assert.equal(await t.button('Make a password').count(), 0);
		await back(t);
		await t.button('Make a password').waitFor();
		await t.page.getByLabel('Device').selectOption('other');
		await t.page.getByLabel('MAC address').fill('02:c1:1e:17:00:77');
	},

	async 'what was asked for stays while it is away'(t) {
		await gone(t);
		assert.equal(await t.page.getByLabel('MAC address').inputValue(), '02:c1:1e:17:00:77');
		await t.button('Make a password').click();
		await silent(t).nth(1).waitFor();
		await back(t);
		assert.equal(await t.page.getByLabel('MAC address').inputValue(), '02:c1:1e:17:00:77');
		await t.button('Make a password').click();
		await t.page.getByRole('heading', { name: /^Credential for / }).waitFor();
		await t.button('I have put it into the device').click();
	},

	async 'the overview says that nothing guards the house, and that it is guarded again'(t) {
		await t.open(PLACE + 'overview');
		await t.page.getByRole('heading', { name: 'The last hour' }).waitFor();
		t.house('stop');
		await t.page.getByText('Nothing guards the house.', { exact: false }).waitFor();
		t.house('start');
		await t.page.getByRole('heading', { name: 'The last hour' }).waitFor();
	},

	async 'a report is not lost for one that cannot be made'(t) {
		await t.open(PLACE + 'report');
		await t.page.getByRole('heading', { name: 'Security report of this house' }).waitFor();
		t.house('stop');
		await answering(t, false);
		await t.button('Make it anew').click();
		await silent(t).waitFor();
		await t.page.getByRole('heading', { name: 'What mends what is open' }).waitFor();
		await t.open(PLACE + 'report');
		await silent(t).waitFor();
		t.house('start');
		await answering(t, true);
		await t.button('Try again').click();
		await t.page.getByRole('heading', { name: 'Security report of this house' }).waitFor();
	},

	async 'a device that is not there has a way back to the others'(t) {
		await t.open(PLACE + 'devices#02:00:00:00:00:01');
		await t.page.getByRole('alert').getByText('The router knows no device', { exact: false }).waitFor();
		await t.page.getByRole('link', { name: 'All devices' }).click();
		await t.page.getByLabel('Search').waitFor();
	}
};

/* The pages that have to fit a phone: `[path, name]`. */
export const pages = async () => [];
