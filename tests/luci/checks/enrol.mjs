// From an unknown device to one that is in, each way. The house has a Tasmota device, a lamp, a plug and a
// visitor, none of them enrolled.

import assert from 'node:assert/strict';

const ENROL = '/admin/services/mqttguard/enrol';
const TASMOTA = 'tasmota-0a0a0a';

async function choose(t, name, way) {
	await t.open(ENROL + '#' + await t.macOf(name));
	await t.page.getByRole('radio', { name: way }).check();
}

const status = (t, text) => t.page.getByRole('status').getByText(text, { exact: false });

export const checks = {
	async 'a device is known by what it seems to run, and its profile is suggested and explained'(t) {
		await t.open(ENROL);
		assert.ok(await t.button('Make a password').isDisabled());
		await t.page.getByLabel('Device').selectOption(await t.macOf(TASMOTA));
		assert.equal(await t.page.getByLabel('Profile', { exact: true }).inputValue(), 'tasmota');
		await t.page.getByText('It seems to run Tasmota, and this profile is made for that.').waitFor();
		await t.page.getByText('tele/%d/#').waitFor();
		await t.page.getByLabel('Profile', { exact: true }).selectOption('device');
		await t.page.getByText('This is what devices get of which nothing else is known.').waitFor();
		await t.accessible('enrol');
	},

	async 'a password is made, shown once with what to enter where, and the page sees the device come'(t) {
		await choose(t, TASMOTA, 'I copy settings into it');
		await t.button('Make a password').click();
		const heading = t.page.getByRole('heading', { name: 'Credential for ' + TASMOTA });
		await heading.waitFor();
		assert.ok(await heading.evaluate((node) => node === document.activeElement));
		const [ username, password ] = await t.page.locator('.mqttguard-secret').allTextContents();
		assert.equal(username, TASMOTA);
		assert.ok(password.length >= 16, password);
		assert.ok((await t.page.locator('pre').first().textContent()).includes(`MqttPassword ${password}`));
		await status(t, `Waiting for ${TASMOTA}`).waitFor();
		await t.accessible('credential');
		await t.picture('luci-enrol');

		await t.button('Copy: User name').click();
		await status(t, 'Copied.').waitFor();
		assert.equal(await t.page.evaluate(() => navigator.clipboard.readText().catch(() => null)) || username, username);

		// What nobody has taken yet is not replaced by a slip.
		await t.button('Make a password').click();
		await t.page.getByRole('alert').getByText('Nobody has copied what is shown below yet.', { exact: false }).waitFor();
		assert.equal(await t.page.locator('.mqttguard-secret').nth(1).textContent(), password);

		// Another firmware's settings have the password too.
		await t.page.getByLabel('Ready to copy, for').selectOption('openbeken');
		await t.page.getByRole('heading', { name: /OpenBeken/ }).first().waitFor();
		assert.ok((await t.page.locator('pre').first().textContent()).includes(password));

		// A refused login is told with its reason, and a hostile user name stays text.
		t.house({ device: TASMOTA, username: TASMOTA, password: 'wrong' });
		await status(t, 'It tried, and this went wrong:').waitFor();
		t.house({ device: TASMOTA, username: 'hostile', password: 'wrong' });
		await status(t, '<img src=x onerror="window.hostile = 1">').waitFor();
		assert.equal(await t.page.evaluate(() => window.hostile), undefined);
		assert.equal(await t.page.locator('#view img').count(), 0);

		// Whoever leaves now is warned: nobody has taken the password yet.
		let warned = 0;
		const ask = (dialog) => {
			warned += 1;
			dialog.dismiss();
		};
		const asked = t.page.waitForEvent('dialog');
		t.page.on('dialog', ask);
		t.page.evaluate(() => {
			window.location.hash = '';
			window.location.reload();
		}).catch(() => {});
		await asked;
		assert.ok(await heading.isVisible());

		t.house({ device: TASMOTA, username, password, stays: true, filter: `cmnd/${TASMOTA}/#` });
		await status(t, TASMOTA + ' is connected.').waitFor();
		await t.button('I have put it into the device').click();
		await t.page.getByText('It is not shown any more.', { exact: false }).waitFor();
		assert.ok(!(await t.page.content()).includes(password), 'the password is still in the page');
		const kept = await t.page.evaluate(() => JSON.stringify([ { ...localStorage }, { ...sessionStorage }, location.href, document.cookie ]));
		assert.ok(!kept.includes(password), kept);
		await t.open(ENROL);
		assert.equal(warned, 1, 'a warning without a secret');
		t.page.off('dialog', ask);
	},

	async 'a device is paired by what it has from the factory, by keyboard alone'(t) {
		await t.open(ENROL + '#' + await t.macOf('lamp'));
		await t.page.getByRole('radio', { name: 'I copy settings into it' }).focus();
		await t.page.keyboard.press('ArrowDown');
		assert.ok(await t.page.getByRole('radio', { name: 'Take what it has' }).isChecked());
		await t.page.keyboard.press('Tab');
		assert.equal(await t.page.evaluate(() => document.activeElement.textContent), 'Begin pairing');
		await t.page.keyboard.press('Enter');
		await t.page.getByRole('heading', { name: 'Pairing lamp' }).waitFor();
		const timer = t.page.getByRole('timer');
		assert.match(await timer.textContent(), /^[12]:\d\d$/);
		assert.equal(await timer.getAttribute('aria-live'), 'off');
		await t.accessible('pairing');
		await t.picture('luci-pair');
		t.house({ device: 'lamp', username: 'factory', password: 'a password of its own', stays: true, filter: 'lamp/#' });
		await status(t, 'Paired: the user name of lamp is factory.').waitFor();
		await status(t, 'lamp is connected.').waitFor();
		assert.equal(await timer.count(), 0);
	},

	async 'pairing is called off'(t) {
		await choose(t, 'plug', 'Take what it has');
		await t.button('Begin pairing').click();
		await t.page.getByRole('timer').waitFor();
		await t.button('Cancel').click();
		await status(t, 'The window is closed. Nothing was changed.').waitFor();
		await t.button('Try again').waitFor();
	},

	async 'a certificate comes as files, its key once'(t) {
		await choose(t, 'visitor', 'With a certificate');
		await t.button('Make a certificate').click();
		const files = {};
		for (const label of [ 'Download the key', 'Download the certificate', 'Download the router\'s CA certificate' ]) {
			const [ file ] = await Promise.all([ t.page.waitForEvent('download'), t.button(label).click() ]);
			const chunks = await (await file.createReadStream()).toArray();
			files[file.suggestedFilename()] = Buffer.concat(chunks).toString();
		}
		assert.match(files['visitor.key'], /^-----BEGIN PRIVATE KEY-----/);
		assert.match(files['visitor.crt'], /^-----BEGIN CERTIFICATE-----/);
		assert.match(files['mqttguard-ca.crt'], /^-----BEGIN CERTIFICATE-----/);
		assert.ok(!(await t.page.content()).includes(files['visitor.key'].split('\n')[1]), 'the key is in the page');
	},

	async 'a device that nobody has seen is enrolled by its address'(t) {
		await t.open(ENROL);
		await t.page.getByLabel('Device').selectOption('other');
		await t.page.getByLabel('MAC address').fill('nonsense');
		assert.ok(await t.button('Make a password').isDisabled());
		await t.page.getByLabel('MAC address').fill('02-C1-1E-17-00-99');
		await t.button('Make a password').click();
		await t.page.getByRole('heading', { name: /^Credential for/ }).waitFor();
		await t.button('I have put it into the device').click();
	},

	async 'what a new credential ended is told, and what keeps the device out can be ended there'(t) {
		const mac = '02:c1:1e:17:00:99';
		const call = (method, parameters) => t.page.request.post(new URL('/ubus/', t.url).href, { data: {
			jsonrpc: '2.0', id: 1, method: 'call',
			params: [ '00000000000000000000000000000001', 'mqttguard', method, parameters ]
		} }).then((answer) => answer.json()).then(({ result }) => {
			assert.equal(result[0], 0, JSON.stringify(result));
			return result[1];
		});
		await call('certificate', { device: mac });
		const { username } = await call('block', { device: mac });
		await t.open(ENROL + '#' + mac);
		await t.page.getByRole('radio', { name: 'I copy settings into it' }).check();
		await t.page.getByLabel('Profile', { exact: true }).selectOption('sensor');
		await t.button('Make a password').click();
		await t.page.getByRole('heading', { name: /^Credential for/ }).waitFor();
		await t.page.getByText(`The credential that it had, "${username}", has ended with its certificate`, { exact: false }).waitFor();
		await t.page.getByText('It cannot log in yet: it is blocked.').waitFor();
		await t.accessible('credential of a blocked device');
		await t.button('Unblock').click();
		await status(t, 'is free again.').waitFor();
		assert.equal((await call('device', { device: mac })).state, 'enrolled');
		assert.equal(await t.page.locator('.mqttguard-secret').count(), 2);
		await t.button('I have put it into the device').click();
	},

	async 'whoever may only look enrols nothing'(t) {
		await t.open(ENROL + '?guest#' + await t.macOf('plug'));
		await t.page.getByText('You may look, but not change anything here.').waitFor();
		assert.ok(await t.button('Make a password').isDisabled());
	}
};

export const pages = async (t) => [ [ ENROL + '#' + await t.macOf('plug'), 'enrol' ] ];
