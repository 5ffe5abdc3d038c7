// What the overview says, and the decisions that it asks for.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

const OVERVIEW = '/admin/services/mqttguard/overview';
const DEVICES = '/admin/services/mqttguard/devices';

const UBUS = readFileSync(new URL('../../../docs/ubus.md', import.meta.url), 'utf8');

/* Values that are numbers. */
const NUMBERS = [ 'count', 'seconds', 'most', 'failures' ];

/* The rows of a table under a heading of docs/ubus.md: a code, and its values, each as a hostile one. */
function codes(heading) {
	const table = UBUS.split(heading + '\n')[1].split(/\n##/)[0];
	const rows = [ ...table.matchAll(/^\| `([^`]+)` \|([^|]*)\|/gm) ].map(([ , code, listed ]) => ({
		code, message: 'MESSAGE',
		...Object.fromEntries([ ...listed.matchAll(/`([^`]+)`/g) ].map(([ , field ]) =>
			[ field, NUMBERS.includes(field) ? 7 : '<i>' + field ]))
	}));
	assert.ok(rows.length >= 3, 'docs/ubus.md has no table of ' + heading);
	return rows;
}

export const checks = {
	async 'the overview says that the house is protected, and why not if it is not'(t) {
		await t.open(OVERVIEW);
		await t.page.getByRole('heading', { name: 'Protected', exact: true }).waitFor();
		await t.page.getByRole('cell', { name: 'Works: frames were seen' }).first().waitFor();
		await t.accessible('overview');
		await t.picture('luci-overview');
	},

	async 'graphs of the last hour, in numbers too'(t) {
		await t.open(OVERVIEW);
		assert.match(await t.page.locator('[data-counter=plaintext]').textContent(), /[1-9]/);
		assert.match(await t.page.locator('[data-counter=messages]').textContent(), /[1-9]/);
		assert.equal(await t.page.locator('[data-counter=sessions]').textContent(), '1');
		const graph = t.page.locator('.mqttguard-graph').first();
		assert.equal(await graph.locator('g').count(), 60);
		const tall = await graph.locator('.bar').evaluateAll((bars) => bars.filter((bar) => bar.getAttribute('height') > 0).length);
		assert.ok(tall > 0, 'no bar for what was blocked');
		const sum = Number(await t.page.locator('[data-counter=plaintext]').textContent());
		await graph.locator('summary').click();
		await graph.locator('tbody tr').first().waitFor();
		const cells = await graph.locator('tbody td:nth-child(2)').allTextContents();
		assert.equal(cells.map(Number).reduce((a, b) => a + b, 0), sum, 'the minutes do not make the sum');
		// It stays open when the page asks anew.
		await t.again('history');
		assert.ok(await graph.locator('tbody').isVisible());
	},

	async 'an event comes with the action that fits, and a hostile name stays text'(t) {
		await t.open(OVERVIEW);
		const event = t.page.getByRole('listitem').filter({ hasText: 'plug tried to send unencrypted MQTT to 203.0.113.10' });
		await event.first().waitFor();
		assert.equal(await event.first().getByRole('link', { name: 'Enrol it: plug' }).getAttribute('href'),
			new URL(t.url).pathname + '/admin/services/mqttguard/enrol#' + await t.macOf('plug'));
		await t.page.getByText('<img src=x onerror="window.hostile = 1">').first().waitFor();
		assert.equal(await t.page.evaluate(() => window.hostile), undefined);
		assert.equal(await t.page.locator('#view img').count(), 0);
	},

	async 'how often something happened is not mixed up with how much it was about'(t) {
		await t.open(OVERVIEW);
		const event = t.page.getByRole('listitem').filter({ hasText: 'camera was put into quarantine' });
		await event.getByText('3 failed logins within a minute').waitFor();
		assert.doesNotMatch(await event.textContent(), /times\)/);
	},

	async 'the name in an event leads to the device'(t) {
		await t.open(OVERVIEW);
		await t.page.getByRole('listitem').getByRole('link', { name: 'plug', exact: true }).first().click();
		await t.page.getByRole('heading', { name: 'plug', exact: true }).waitFor();
	},

	async 'each event that there is has a sentence of its own'(t) {
		const table = UBUS.split('## Notifications')[1].split('\n## ')[0];
		const rows = [ ...table.matchAll(/^\| `([^`]+)` \|[^|]*\|([^|]*)\|$/gm) ];
		assert.ok(rows.length > 30, 'docs/ubus.md has no table of events');
		/* What some are told by; of all of them in the next check. */
		const told = { 'fallback': { code: 'reduced' }, 'journal': { code: 'journal-whole' },
			'journal-trouble': { code: 'journal-damaged' }, 'enforcement': { what: 'lost' } };
		await t.open(OVERVIEW);
		for (const [ , name, listed ] of rows) {
			const fields = [ ...listed.matchAll(/`([^`]+)`/g) ].map(([ , field ]) => [ field, '<i>' + field ]);
			const event = { ...Object.fromEntries(fields), event: name, name: 'plug', message: 'MESSAGE',
				reason: 'plaintext-port', until_ms: 0, errors: [ 'one' ], ...told[name] };
			const said = await t.page.evaluate((event) =>
				L.require('mqttguard.sentences').then((sentences) => sentences.of(event)), event);
			assert.notEqual(said, 'MESSAGE', name);
			assert.doesNotMatch(said, /undefined|%[sd]/, name);
		}
	},

	async 'each code that there is has words of its own, and one that there is not has the daemon\'s'(t) {
		await t.open(OVERVIEW);
		const sentence = (event) => t.page.evaluate((event) =>
			L.require('mqttguard.sentences').then((sentences) => sentences.of(event)), event);
		const word = (what, told, ...more) => t.page.evaluate(([ what, told, more ]) =>
			L.require('mqttguard.codes').then((codes) => codes[what](told, ...more)), [ what, told, more ]);
		const trouble = (told) => t.page.evaluate((told) => L.require('mqttguard.troubles').then((troubles) =>
			troubles.of({ troubles: [ told ] })[0].says), told);
		const fault = (told) => t.page.evaluate((told) =>
			L.require('mqttguard.faults').then((faults) => faults.of(told)), { ...told, error: 'MESSAGE' });
		const kinds = [
			[ '### troubles', trouble ],
			[ '### cause of a push', (told) => word('cause', told, 'MESSAGE') ],
			[ '### next_code of a push', (told) => word('next', { next_code: told.code, next: 'MESSAGE' }) ],
			[ '### step of a push', (told) => word('step', { step: told.code, what: 'MESSAGE' }) ],
			[ '### code of fallback', (told) => sentence({ ...told, event: 'fallback' }) ],
			[ '### code of journal and journal-trouble', (told) => sentence({ ...told, event: 'journal' }) ],
			[ '### code of login-refused', (told) => word('login', { code: told.code, why: 'MESSAGE' }) ],
			[ '### code of state-changed', (told) => word('because', { because: told }) ],
			[ '### code of disconnected', (told) => word('departure', { code: told.code, why: 'MESSAGE' }) ],
			[ '### notes of an attachment', (told) => word('attached', { notes: [ told ], why: 'MESSAGE' }) ],
			[ '### noted of a snippet', (told) => word('noted', { noted: [ told ] }).then(([ line ]) => line) ],
			[ '### code of an error', fault ],
			[ '### code of an error, by the rules of the registry', fault ],
			[ '### code of an error, without an answer', fault ]
		];
		for (const [ heading, say ] of kinds) {
			for (const told of [ ...codes(heading) ]) {
				const said = await say(told);
				assert.ok(said && said != 'MESSAGE', `${heading}: ${told.code}: ${said}`);
				assert.doesNotMatch(said, /undefined|null|%[sd]/, told.code);
			}
			assert.equal(await say({ code: 'of-tomorrow', message: 'MESSAGE' }), 'MESSAGE', heading);
		}
		/* A daemon of yesterday has no codes. */
		assert.equal(await t.page.evaluate(() => L.require('mqttguard.troubles').then((troubles) =>
			troubles.of({ why: [ 'MESSAGE' ] })[0].says)), 'MESSAGE');
	},

	async 'the owner allows what was blocked, for an hour'(t) {
		await t.open(OVERVIEW);
		await t.button('Allow this: plug').first().click();
		await t.dialog.getByLabel('For', { exact: true }).selectOption('3600');
		await t.accessible('dialog');
		await t.picture('luci-allow', { whole: false });
		await t.dialog.getByRole('button', { name: 'Allow', exact: true }).click();
		await t.page.getByText(/^plug may send unencrypted MQTT until/).waitFor();
		await t.open(DEVICES + '#' + await t.macOf('plug'));
		await t.page.getByRole('button', { name: /^Withdraw/ }).first().waitFor();
	},

	async 'the owner keeps something blocked, and is not asked again'(t) {
		await t.open(OVERVIEW);
		const asked = t.button('Keep blocked: plug');
		const before = await asked.count();
		await asked.first().click();
		await t.page.getByText('Stays blocked').first().waitFor();
		assert.equal(await asked.count(), before - 1);
	},

	async 'a guest sees it all, and no button'(t) {
		await t.open(OVERVIEW + '?guest');
		await t.page.getByRole('heading', { name: 'Protected', exact: true }).waitFor();
		await t.page.getByText('You may look, but not change anything here.').waitFor();
		assert.equal(await t.page.locator('#view').getByRole('button').count(), 0);
		assert.equal(await t.page.locator('#view .btn').count(), 0);
	}
};

/* The pages that have to fit a phone: `[path, name]`. */
export const pages = async () => [ [ OVERVIEW, 'overview' ] ];
