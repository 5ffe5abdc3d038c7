// The topics of the house, as they come.

import assert from 'node:assert/strict';

const LIVE = '/admin/services/mqttguard/live';

/* Calls of `live` within so many milliseconds. */
async function calls(t, time) {
	let count = 0;
	const heard = (request) => {
		if (/"live"/.test(request.postData() || ''))
			count += 1;
	};
	t.page.on('request', heard);
	await t.page.waitForTimeout(time);
	t.page.off('request', heard);
	return count;
}

const item = (t, name) => t.page.getByRole('treeitem').filter({ hasText: name });
const active = (t) => t.page.evaluate(() => document.activeElement.title);

export const checks = {
	async 'values come, with who published them and whether they are retained'(t) {
		await t.open(LIVE);
		const tick = item(t, 'tick');
		await tick.getByText(/from lamp/).waitFor();
		const before = await tick.locator('.value').textContent();
		await t.page.waitForFunction((before) =>
			[ ...document.querySelectorAll('.mqttguard-topic') ].some((row) =>
				/tick/.test(row.textContent) && row.querySelector('.value').textContent != before), before);
		await item(t, 'mode').getByText('retained').waitFor();
		await t.accessible('live');
		await t.picture('luci-live');
	},

	async 'hostile topics and values stay text'(t) {
		await t.open(LIVE);
		await t.page.getByText('<img src=x onerror="window.hostile = 1">').first().waitFor();
		assert.equal(await t.page.evaluate(() => window.hostile), undefined);
		assert.equal(await t.page.locator('#view img').count(), 0);
	},

	async 'it is gone about in by keyboard'(t) {
		await t.open(LIVE);
		await item(t, 'tick').waitFor();
		await t.page.getByLabel('Filter').focus();
		for (let step = 0; step < 8 && !await active(t); ++step)
			await t.page.keyboard.press('Tab');
		const top = t.page.getByRole('treeitem').first();
		assert.equal(await active(t), 'lamp');
		assert.equal(await top.getAttribute('aria-expanded'), 'true');
		await t.page.keyboard.press('ArrowLeft');
		assert.equal(await top.getAttribute('aria-expanded'), 'false');
		assert.equal(await t.page.getByRole('treeitem').count(), 1);
		assert.equal(await active(t), 'lamp');
		await t.page.keyboard.press('Enter');
		await t.page.keyboard.press('End');
		const last = await active(t);
		assert.notEqual(last, 'lamp');
		// It stays there though the page asks anew meanwhile.
		await t.again('live');
		assert.equal(await active(t), last);
		await t.page.keyboard.press('ArrowLeft');
		await t.page.keyboard.press('Home');
		assert.equal(await active(t), 'lamp');
		// One stop for the whole tree.
		assert.equal(await t.page.locator('[role=treeitem][tabindex="0"]').count(), 1);
	},

	async 'it is filtered by a part of it, and by a filter of MQTT'(t) {
		await t.open(LIVE);
		await item(t, 'tick').waitFor();
		await t.page.getByLabel('Filter').fill('TICK');
		await t.page.getByText(/^1 of \d+ topics\./).waitFor();
		const asked = t.page.waitForRequest((request) => /"filter":"lamp\/\+"/.test(request.postData() || ''));
		await t.page.getByLabel('Filter').fill('lamp/+');
		await asked;
		await item(t, 'tick').waitFor();
		await item(t, 'below').waitFor({ state: 'hidden' });
		await t.page.getByLabel('Filter').fill('nothing/#');
		await t.page.getByText('There is nothing to show.').waitFor();
	},

	async 'nothing is asked for while it is paused, or nobody looks'(t) {
		await t.open(LIVE);
		await item(t, 'tick').waitFor();
		assert.ok(await calls(t, 7000) >= 2);
		await t.button('Pause').click();
		await t.page.getByText(/Paused\./).waitFor();
		assert.equal(await calls(t, 7000), 0);
		await t.button('Go on').click();
		assert.ok(await calls(t, 7000) >= 2);
		await t.page.evaluate(() => {
			Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
			document.dispatchEvent(new Event('visibilitychange'));
		});
		assert.equal(await calls(t, 7000), 0);
		await t.page.evaluate(() => {
			delete document.hidden;
			document.dispatchEvent(new Event('visibilitychange'));
		});
		assert.ok(await calls(t, 2000) >= 1, 'it does not ask as soon as it is seen again');
	},

	async 'a guest is told that values are private'(t) {
		await t.page.goto('about:blank');
		const asked = calls(t, 5000);
		await t.open(LIVE + '?guest');
		await t.page.getByText(/What devices say is private/).waitFor();
		assert.equal(await asked, 0);
	}
};

/* The pages that have to fit a phone: `[path, name]`. */
export const pages = async () => [ [ LIVE, 'live' ] ];
