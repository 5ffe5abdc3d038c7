// The first ten minutes of an owner, from a fresh install on: docs/first-ten-minutes.md. One step after
// the other, by what is on the pages alone; no page is opened by its address but the first.

import assert from 'node:assert/strict';

const OVERVIEW = '/admin/services/mqttguard/overview';

/* Devices take their time: the longest is a quarantine, which takes ten seconds of flood. */
const PATIENT = { timeout: 60000 };

/* Goes to a page by the menu. */
async function go(t, title) {
	await t.page.locator('header').getByRole('link', { name: title, exact: true }).click();
	await t.page.waitForSelector('.mqttguard');
}

export const checks = {
	async '1. a device that talks in the clear is blocked, and shows up by name'(t) {
		await t.open(OVERVIEW);
		await t.page.getByRole('heading', { name: 'Protected', exact: true }).waitFor();
		await t.page.getByText(/kitchen-plug tried to send unencrypted MQTT to 203\.0\.113\.\d+/).first().waitFor(PATIENT);
		await t.picture('first-1-blocked');
	},
};

/* The pages of the story have checks of their own. */
export const pages = async () => [];
