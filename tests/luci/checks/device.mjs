// A device's page, and what the owner does there.

import assert from 'node:assert/strict';

const DEVICES = '/admin/services/mqttguard/devices';
const HOSTILE = 'door/<img src=x onerror="window.hostile = 1">';

/* What a keyboard reaches in the dialog, from where it is, going round once. */
async function round(t, key) {
	const seen = [];
	for (let step = 0; step < 12; ++step) {
		seen.push(await t.page.evaluate(() => {
			const inside = document.activeElement.closest('[role=dialog]');
			return inside ? document.activeElement.textContent || document.activeElement.tagName : 'OUTSIDE';
		}));
		await t.page.keyboard.press(key);
	}
	return seen;
}

/* The section of a device in the configuration. */
async function sectionOf(t, mac) {
	const answer = await t.page.request.post(new URL('/ubus/', t.url).href, { data: {
		jsonrpc: '2.0', id: 1, method: 'call',
		params: [ '00000000000000000000000000000001', 'uci', 'get', { config: 'mqttguard' } ]
	} });
	const { values } = (await answer.json()).result[1];
	return Object.values(values).find((one) => one['.type'] == 'device' && one.mac == mac);
}

export const checks = {
	async 'a device has a page, is released there, and that can be undone'(t) {
		await t.open(DEVICES);
		await t.page.getByRole('link', { name: 'camera' }).click();
		await t.page.getByRole('heading', { name: 'camera' }).waitFor();
		await t.page.getByText(/Until /).waitFor();
		await t.accessible('device');
		await t.button(/^Release$/).click();
		await t.page.getByText('camera is free again.').waitFor();
		await t.button(/^Block$/).waitFor();
		await t.button('Undo: camera is free again.').click();
		await t.button(/^Release$/).waitFor();
		await t.page.goBack();
		await t.page.getByText('5 devices').waitFor();
	},

	async 'who it is, how much it said, and what it may'(t) {
		await t.open(DEVICES + '#' + await t.macOf('lamp'));
		await t.page.getByRole('definition').filter({ hasText: await t.macOf('lamp') }).waitFor();
		assert.match(await t.page.locator('[data-counter=messages]').textContent(), /[1-9]/);
		assert.match(await t.page.locator('[data-counter=frames]').textContent(), /[1-9]/);
		await t.page.getByText('tele/%d/#').first().waitFor();
		await t.page.getByRole('cell', { name: /^MQTT / }).first().waitFor();
		await t.accessible('device');
		await t.picture('luci-device');
	},

	async 'another profile is looked at, put in force, and taken back'(t) {
		await t.open(DEVICES + '#' + await t.macOf('spare'));
		const choice = t.page.getByLabel('Profile', { exact: true });
		const apply = t.button('Save & Apply: Profile');
		assert.ok(await apply.isDisabled());
		const before = await choice.inputValue();
		assert.notEqual(before, 'tasmota');
		await choice.selectOption('tasmota');
		// What it grants is shown before it is decided.
		await t.page.getByText('tele/%d/#').first().waitFor();
		await apply.click();
		await t.page.getByText('spare has the profile tasmota now.').waitFor();
		await t.accessible('device with another profile');
		await t.open(DEVICES + '#' + await t.macOf('spare'));
		assert.equal(await choice.inputValue(), 'tasmota');
		await choice.selectOption(before);
		await apply.click();
		await t.page.getByText(`spare has the profile ${before} now.`).waitFor();
		await t.button(`Undo: spare has the profile ${before} now.`).click();
		await t.page.waitForFunction(() => document.getElementById('mqttguard-profile').value == 'tasmota');
	},

	async 'the first choice of a profile, taken back, leaves nothing in the configuration'(t) {
		const mac = await t.macOf('visitor');
		const section = () => sectionOf(t, mac);
		assert.equal(await section(), undefined);
		await t.open(DEVICES + '#' + mac);
		const choice = t.page.getByLabel('Profile', { exact: true });
		const before = await choice.inputValue();
		await choice.selectOption('tasmota');
		await t.button('Save & Apply: Profile').click();
		await t.button('Undo: visitor has the profile tasmota now.').waitFor();
		assert.equal((await section()).profile, 'tasmota');
		await t.button('Undo: visitor has the profile tasmota now.').click();
		await t.page.waitForFunction((name) => document.getElementById('mqttguard-profile').value == name, before);
		assert.equal(await section(), undefined);
	},

	async 'a guest sees the profile, and no choice of another'(t) {
		await t.open(DEVICES + '?guest#' + await t.macOf('lamp'));
		await t.page.getByText('tele/%d/#').first().waitFor();
		assert.equal(await t.page.getByLabel('Profile', { exact: true }).count(), 0);
	},

	async 'its topics are there as it publishes them'(t) {
		await t.open(DEVICES + '#' + await t.macOf('lamp'));
		await t.page.getByRole('treeitem').filter({ hasText: 'tick' }).first().waitFor();
	},

	async 'a topic that was refused is allowed, and no more than that'(t) {
		await t.open(DEVICES + '#' + await t.macOf('lamp'));
		await t.button('Allow this topic: garage/door').first().click();
		const choice = t.dialog.getByLabel('What');
		assert.deepEqual(await choice.locator('option').evaluateAll((all) => all.map((one) => one.value)),
			[ 'garage/door', 'garage/#' ]);
		await t.accessible('dialog');
		await t.picture('luci-allow-topic', { whole: false });
		await t.dialog.getByRole('button', { name: 'Allow', exact: true }).click();
		await t.page.getByText('lamp may now publish to "garage/door".').waitFor();
		await t.page.getByRole('button', { name: 'Withdraw: garage/door' }).waitFor();
	},

	async 'such a grant is withdrawn, and put back'(t) {
		await t.open(DEVICES + '#' + await t.macOf('lamp'));
		await t.button('Withdraw: garage/door').click();
		await t.page.getByText('lamp may not publish to "garage/door" any more.').waitFor();
		await t.page.getByText('Nothing: it has what its profile grants.').waitFor();
		assert.equal(await sectionOf(t, await t.macOf('lamp')), undefined);
		await t.button('Undo: lamp may not publish to "garage/door" any more.').click();
		await t.button('Withdraw: garage/door').waitFor();
	},

	async 'a hostile topic stays text'(t) {
		await t.open(DEVICES + '#' + await t.macOf('lamp'));
		await t.page.getByText(HOSTILE).first().waitFor();
		assert.equal(await t.page.evaluate(() => window.hostile), undefined);
		assert.equal(await t.page.locator('#view img').count(), 0);
	},

	async 'a new password is made, by keyboard alone, and shown once'(t) {
		await t.open(DEVICES + '#' + await t.macOf('lamp'));
		await t.button('New password').first().focus();
		await t.page.keyboard.press('Enter');
		await t.dialog.waitFor();
		for (const key of [ 'Tab', 'Shift+Tab' ]) {
			const seen = await round(t, key);
			assert.ok(!seen.includes('OUTSIDE'), `${key}: ${seen}`);
			assert.ok(new Set(seen).size >= 3, `${key}: ${seen}`);
		}
		await t.page.keyboard.press('Escape');
		await t.dialog.waitFor({ state: 'hidden' });
		assert.equal(await t.page.evaluate(() => document.activeElement.textContent), 'New password');
		await t.page.keyboard.press('Enter');
		await t.dialog.getByRole('button', { name: 'Make a new password' }).focus();
		await t.page.keyboard.press('Enter');
		await t.dialog.getByText('The password is shown only now.', { exact: false }).waitFor();
		const password = await t.dialog.locator('code').nth(1).textContent();
		assert.ok(password.length >= 16, password);
		await t.button('Copy: Password').click();
		await t.dialog.getByRole('status').getByText('Copied.').waitFor();
		// A slip of the finger does not lose it.
		await t.page.keyboard.press('Escape');
		await t.dialog.getByText(password).first().waitFor();
		await t.accessible('dialog');
		await t.button('I have put it into the device').focus();
		await t.page.keyboard.press('Enter');
		await t.page.getByText('Old password works until').waitFor();
		assert.ok(!(await t.page.content()).includes(password), 'the password is still in the page');
		assert.equal(await t.page.evaluate(() => document.activeElement.textContent), 'New password');
	},

	async 'a certificate is made, and its files are there to keep'(t) {
		await t.open(DEVICES + '#' + await t.macOf('lamp'));
		await t.button('Certificate').click();
		await t.button('Make a certificate').click();
		const [ file ] = await Promise.all([
			t.page.waitForEvent('download'), t.dialog.getByRole('link', { name: 'Key' }).click()
		]);
		assert.equal(file.suggestedFilename(), 'lamp.key');
		const chunks = [];
		for await (const chunk of await file.createReadStream())
			chunks.push(chunk);
		assert.match(Buffer.concat(chunks).toString(), /^-----BEGIN [A-Z ]*PRIVATE KEY-----/);
		await t.button('I have them').click();
		await t.page.getByText(/, good until /).first().waitFor();
		assert.ok(!(await t.page.content()).includes('PRIVATE KEY'), 'the key is still in the page');
	},

	async 'a device is put into quarantine, and what is wrong with a note is said'(t) {
		await t.open(DEVICES + '#' + await t.macOf('visitor'));
		await t.button(/^Quarantine$/).click();
		await t.dialog.getByLabel('Why').fill('ü'.repeat(150));
		await t.dialog.getByRole('button', { name: 'Put into quarantine' }).click();
		await t.dialog.getByRole('alert').getByText('The note is too long.', { exact: false }).waitFor();
		await t.dialog.getByLabel('Why').fill('new here');
		await t.dialog.getByRole('button', { name: 'Put into quarantine' }).click();
		await t.button(/^Release$/).waitFor();
		await t.button('Undo: visitor is in quarantine.').click();
		await t.button(/^Quarantine$/).waitFor();
	},

	async 'a device is blocked, and says so'(t) {
		await t.open(DEVICES + '#' + await t.macOf('plug'));
		await t.button(/^Block$/).click();
		await t.dialog.getByLabel('Why').fill('<b>smells</b>');
		await t.dialog.getByRole('button', { name: 'Block', exact: true }).click();
		await t.page.getByText('plug is blocked.').waitFor();
		await t.page.getByText('<b>smells</b>').first().waitFor();
		await t.button('Unblock').first().waitFor();
	},

	async 'a credential is revoked only when that was confirmed'(t) {
		await t.open(DEVICES + '#' + await t.macOf('spare'));
		await t.button('Revoke').click();
		await t.button('Cancel').click();
		await t.button('Revoke').click();
		await t.dialog.getByRole('button', { name: 'Revoke' }).click();
		await t.page.getByText('spare has no credential any more.').first().waitFor();
		await t.page.locator('#view').getByRole('link', { name: 'Enrol', exact: true }).waitFor();
	},

	async 'whoever may only look has nothing to press'(t) {
		for (const name of [ 'camera', 'lamp', 'plug' ]) {
			await t.open(DEVICES + '?guest#' + await t.macOf(name));
			await t.page.getByRole('heading', { name }).waitFor();
			await t.page.getByText('You may look, but not change anything here.').waitFor();
			assert.equal(await t.page.locator('#view').getByRole('button').count(), 0);
			assert.equal(await t.page.locator('#view .btn').count(), 0);
			assert.equal(await t.page.getByRole('alert').count(), 0);
			assert.equal(await t.page.getByRole('heading', { name: 'Live topics' }).count(), 0);
		}
	}
};

/* The pages that have to fit a phone: `[path, name]`. */
export const pages = async (t) => [ [ DEVICES + '#' + await t.macOf('lamp'), 'device', { whole: false } ] ];
