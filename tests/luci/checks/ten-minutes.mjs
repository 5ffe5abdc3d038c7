// The first ten minutes of an owner, from a fresh install on: docs/first-ten-minutes.md. One step after
// the other, from page to page by what is on them; only the first is opened by its address.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

const OVERVIEW = '/admin/services/mqttguard/overview';
const PLUG = 'kitchen-plug';

/* Devices take their time: a quarantine comes after ten seconds of flood. */
const PATIENT = { timeout: 60000 };

/* Goes to a page by the menu. */
async function go(t, title) {
	await t.page.locator('header').getByRole('link', { name: title, exact: true }).click();
	await t.page.getByRole('heading', { level: 2 }).first().waitFor();
}

/* The item of a standard, by its clause. */
const item = (t, clause) =>
	t.page.locator('.mqttguard-item').filter({ has: t.page.getByText(clause, { exact: true }) });

export const checks = {
	async '1. a plug that talks in the clear is blocked, and shows up by its name'(t) {
		await t.open(OVERVIEW);
		await t.page.getByRole('heading', { name: 'Protected', exact: true }).waitFor();
		await t.page.getByText(/kitchen-plug tried to send unencrypted MQTT to 203\.0\.113\.\d+/).first().waitFor(PATIENT);
		await t.picture('first-1-blocked');
	},

	async '2. the owner gets what devices know the router by'(t) {
		await go(t, 'Settings');
		await t.page.locator('.cbi-tabmenu a', { hasText: 'Certificates' }).first().click();
		const [ file ] = await Promise.all([
			t.page.waitForEvent('download'),
			t.page.getByRole('button', { name: 'Download mqttguard-ca.crt' }).click()
		]);
		t.house({ device: PLUG, trusts: await readFile(await file.path(), 'utf8') });
	},

	async '3. the owner pairs the plug, which comes in by what it has'(t) {
		await go(t, 'Overview');
		await t.page.getByRole('link', { name: 'Enrol it: ' + PLUG }).first().click();
		await t.page.getByRole('heading', { name: 'Enrol a device' }).waitFor();
		await t.page.getByRole('radio', { name: 'Take what it has' }).check();
		await t.button('Begin pairing').click();
		await t.page.getByRole('timer').waitFor();
		await t.picture('first-2-pairing');
		// On the plug's own page the owner types what this one says, and nothing else.
		const text = await t.page.getByText(/^Let the device connect now, to/).textContent();
		const [ , address, port ] = /([\d.]+), port (\d+),/.exec(text);
		t.house({ device: PLUG, address, port: Number(port) });
		await t.page.getByText('Paired: the user name of kitchen-plug is plug.', { exact: false }).waitFor(PATIENT);
		await t.page.getByText('kitchen-plug is connected.').waitFor(PATIENT);
		await t.picture('first-3-paired');
	},

	async '4. its values appear as they come'(t) {
		await go(t, 'Live');
		await t.button('Open all').click();
		const value = t.page.getByText(/"Power":4\d/).first();
		await value.waitFor(PATIENT);
		const before = await value.textContent();
		await t.page.waitForFunction((before) => {
			const shown = document.querySelector('#view').textContent;
			return /"Power":4\d/.test(shown) && !shown.includes(before);
		}, before.trim(), PATIENT);
		await t.picture('first-4-live');
	},

	async '5. a camera that floods is quarantined before the owner\'s eyes, and released'(t) {
		await go(t, 'Overview');
		assert.equal(await t.page.getByText(/camera was put into quarantine/).count(), 0);
		t.house({ device: 'camera', floods: true });
		await t.page.getByText(/camera was put into quarantine/).first().waitFor(PATIENT);
		await t.picture('first-5-quarantine');
		await t.page.getByRole('button', { name: 'Release: camera' }).first().click();
		await t.page.getByText(/camera (is free again|was let go|is released)/).first().waitFor(PATIENT);
	},

	async '6. the report says what still stands open'(t) {
		await go(t, 'Report');
		await t.page.getByLabel('Only what is open').check();
		// Nothing is sent in the clear any more, but the plug has kept a password that anybody guesses.
		await item(t, '5.1-2').getByText('its password is easily guessed').waitFor();
		assert.equal(await item(t, '5.1-1').count(), 0);
		assert.equal(await item(t, '5.5-1').count(), 0);
		await t.picture('first-6-report');
		await item(t, '5.1-2').getByRole('link', { name: 'Give these devices a new password.' }).click();
		await t.page.getByRole('heading', { name: PLUG, level: 2 }).waitFor();
		await t.button('New password').first().waitFor();
	}
};

/* The pages of the story have checks of their own. */
export const pages = async () => [];
