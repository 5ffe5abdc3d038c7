// The pages in a language that is not the daemon's: what the views translate is in capitals there.

import assert from 'node:assert/strict';

const PLACE = '/admin/services/mqttguard/';
const OWNER = '00000000000000000000000000000001';

async function ask(t, method, argument = {}) {
	const answer = await t.page.request.post(new URL('/ubus/', t.url).href, { data: {
		jsonrpc: '2.0', id: 1, method: 'call', params: [ OWNER, 'mqttguard', method, argument ]
	} });
	return (await answer.json()).result[1];
}

/* The sentences of the daemon in an answer; what has no blank may be a name. */
function sentences(value, found = new Set()) {
	Object.entries(value).forEach(([ name, one ]) => {
		if ([ 'message', 'why', 'detail', 'error' ].includes(name) && typeof(one) == 'string' && one.includes(' '))
			found.add(one);
		else if (one && typeof(one) == 'object')
			sentences(one, found);
	});
	return found;
}

/* That none of the daemon's sentences is on the page. */
async function translated(t, said, what) {
	const text = await t.page.locator('#view').textContent();
	assert.deepEqual([ ...said ].filter((sentence) => text.includes(sentence)), [], what);
}

export const checks = {
	async 'what happened and how things are is said in the owner\'s language'(t) {
		const { devices } = await ask(t, 'devices');
		const said = sentences([ await ask(t, 'status'), devices, await ask(t, 'events', { limit: 200 }) ]);
		assert.ok(said.size > 10, [ ...said ].join('\n'));
		await t.open(PLACE + 'overview?foreign');
		await t.page.getByText('WHAT HAPPENED LATELY').waitFor();
		await t.page.getByText('IS ENROLLED', { exact: false }).or(t.page.getByText('WAS PUT INTO QUARANTINE', { exact: false })).first().waitFor();
		await translated(t, said, 'overview');
		for (const { mac, name } of devices) {
			await t.open(PLACE + 'devices?foreign#' + mac);
			await t.page.getByRole('checkbox').check();
			await t.page.getByText('JOINED THE NETWORK', { exact: false }).first().waitFor();
			await translated(t, said, name);
		}
		await t.open('/admin/status/overview?foreign');
		await t.page.getByRole('link', { name: 'SEE MORE' }).waitFor();
		await translated(t, said, 'status');
	},

	async 'why a click did not do it is said in the owner\'s language'(t) {
		const long = 'ü'.repeat(150), device = await t.macOf('visitor');
		const { error } = await ask(t, 'quarantine', { device, why: long });
		await t.open(PLACE + 'devices?foreign#' + device);
		await t.button(/^QUARANTINE$/).click();
		await t.dialog.getByLabel('WHY').fill(long);
		await t.dialog.getByRole('button', { name: 'PUT INTO QUARANTINE' }).click();
		const alert = t.dialog.getByRole('alert');
		await alert.waitFor();
		assert.ok(!(await alert.textContent()).includes(error), error);
		await t.page.keyboard.press('Escape');
	}
};

/* The pages that have to fit a phone: `[path, name]`. */
export const pages = async () => [];
