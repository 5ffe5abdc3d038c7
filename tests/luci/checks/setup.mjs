// Devices that the router sets up, and devices that cannot do TLS. The house has a kettle and a boiler with
// Tasmota's web interface (the boiler's build without TLS), lights with WLED, a lamp, a plug, and a relay of
// Shelly's and a socket with OpenBeken, each with its web interface.

import assert from 'node:assert/strict';

const ENROL = '/admin/services/mqttguard/enrol';
const WEB_PASSWORD = 'web s3cret & more';
/* A push asks the device several times, and reads back what it took. */
const PATIENT = { timeout: 30000 };

const status = (t, text) => t.page.getByRole('status').getByText(text, { exact: false });
const result = (t) => t.page.locator('#mqttguard-result');

async function choose(t, name, way) {
	await t.open(ENROL + '#' + await t.macOf(name));
	await t.page.getByRole('radio', { name: way }).check();
}

async function secrets(t) {
	return t.page.locator('.mqttguard-secret').allTextContents();
}

export const checks = {
	async 'a device is set up by the router, after its owner has seen what is sent'(t) {
		await choose(t, 'kettle', 'The router sets it up');
		await t.page.getByLabel('What it runs').selectOption('tasmota');
		await t.page.getByLabel('Profile', { exact: true }).selectOption('tasmota');
		await t.page.getByLabel('Password there').fill('another');
		await t.button('Show what would be sent').click();
		await result(t).getByRole('alert').getByText('Its own web page refuses the password.', { exact: false }).waitFor(PATIENT);
		assert.equal(await t.button('Send it to the device').count(), 0);

		await t.page.getByLabel('Password there').fill(WEB_PASSWORD);
		await t.button('Show what would be sent').click();
		await t.button('Send it to the device').waitFor(PATIENT);
		await result(t).getByText('by TLS', { exact: true }).waitFor();
		const shown = await result(t).textContent();
		assert.match(shown, /MqttPassword \*\*\*/);
		assert.ok(!shown.includes(WEB_PASSWORD));
		await t.accessible('push');
		await t.picture('luci-push');

		await t.button('Send it to the device').click();
		await result(t).getByText('All of it was taken by the device.').waitFor(PATIENT);
		await result(t).getByText('It restarts and connects within a minute.').waitFor();
		assert.equal(await t.page.getByLabel('Password there').inputValue(), '');
		await status(t, 'Waiting for kettle').waitFor();
		t.house({ device: 'kettle', set: true });
		await status(t, 'kettle is connected.').waitFor(PATIENT);
	},

	async 'a Shelly of the second generation is set up, its certificate and its restart included'(t) {
		const name = 'shellyplus1pm-a8032ab12345';
		await choose(t, name, 'The router sets it up');
		assert.ok(await t.page.getByLabel('What it runs').isHidden(), 'what it runs is known');
		assert.equal(await t.page.getByLabel('Profile', { exact: true }).inputValue(), 'shelly');
		await t.page.getByLabel('Password there').fill('another');
		await t.button('Show what would be sent').click();
		await result(t).getByRole('alert').getByText('Its own web page refuses the password.', { exact: false }).waitFor(PATIENT);
		await t.page.getByLabel('Password there').fill(WEB_PASSWORD);
		await t.button('Show what would be sent').click();
		await t.button('Send it to the device').waitFor(PATIENT);
		const planned = await result(t).locator('.mqttguard-steps strong').allTextContents();
		assert.equal(planned[0], 'Ask what it is');
		assert.deepEqual(planned.slice(-2), [ 'Set the broker and the login', 'Restart it' ]);
		assert.ok(planned.includes('Store the router\'s CA certificate'), planned.join());
		// It proves its login by a digest, so its password does not pass the LAN.
		await result(t).getByText('whoever listens in your LAN in that moment can read the new password.', { exact: false }).waitFor();
		await t.button('Send it to the device').click();
		await result(t).getByText('All of it was taken by the device.').waitFor(PATIENT);
		await result(t).getByText('It restarts and connects within a minute.').waitFor();
		assert.ok(!(await t.page.content()).includes(WEB_PASSWORD));
		t.house({ device: name, set: true });
		await status(t, name + ' is connected.').waitFor(PATIENT);
	},

	async 'OpenBeken is set up, its certificate included'(t) {
		const name = 'obk7a3f1c2d';
		await choose(t, name, 'The router sets it up');
		assert.equal(await t.page.getByLabel('Profile', { exact: true }).inputValue(), 'openbeken');
		await t.button('Show what would be sent').click();
		await result(t).getByRole('alert').getByText('Its own web page asks for a password.', { exact: false }).waitFor(PATIENT);
		await t.page.getByLabel('Password there').fill(WEB_PASSWORD);
		await t.button('Show what would be sent').click();
		await t.button('Send it to the device').waitFor(PATIENT);
		assert.deepEqual(await result(t).locator('.mqttguard-steps strong').allTextContents(),
			[ 'Look at its settings of MQTT', 'Store the router\'s CA certificate', 'Set the broker and the login' ]);
		await t.button('Send it to the device').click();
		await result(t).getByText('It connects again within ten seconds.').waitFor(PATIENT);
		t.house({ device: name, set: true });
		await status(t, name + ' is connected.').waitFor(PATIENT);
	},

	async 'a build without TLS is told of the island, let on it, and set up'(t) {
		await choose(t, 'boiler', 'The router sets it up');
		await t.page.getByLabel('What it runs').selectOption('tasmota');
		await t.button('Show what would be sent').click();
		await result(t).getByRole('alert').getByText('What is installed on it has no TLS', { exact: false }).waitFor(PATIENT);
		await result(t).getByRole('button', { name: 'Let it on the island' }).click();
		assert.ok(await t.page.getByRole('radio', { name: 'Without TLS, on the island' }).isChecked());
		assert.equal(await t.page.getByLabel('And then').inputValue(), 'push');
		await t.page.getByText('a listener without TLS is opened at port 1883').waitFor();
		await t.button('Let it on the island').first().click();
		await t.button('Send it to the device').waitFor(PATIENT);
		await result(t).getByText('without TLS, on the island', { exact: true }).waitFor();
		await t.button('Send it to the device').click();
		await result(t).getByText('All of it was taken by the device.').waitFor(PATIENT);
		t.house({ device: 'boiler', set: true });
		await status(t, 'boiler is connected.').waitFor(PATIENT);
	},

	async 'what cannot do TLS is led to the island, and told what that means'(t) {
		await t.open(ENROL + '#' + await t.macOf('wled-0b0b0b'));
		assert.ok(await t.page.getByRole('radio', { name: 'Without TLS, on the island' }).isChecked());
		await t.page.getByText('whoever listens in your LAN can read the password', { exact: false }).waitFor();
		await t.page.getByText('this device may use it (option plaintext)').waitFor();
		assert.equal(await t.page.getByText('is opened at port').count(), 0, 'it is open already');
		await t.accessible('island');
		await t.picture('luci-island');
		await t.button('Let it on the island').click();
		await t.page.getByRole('heading', { name: 'Credential for wled-0b0b0b' }).waitFor();
		await t.page.getByText('Port (without TLS)').waitFor();
		await t.page.getByRole('heading', { name: /^WLED without TLS/ }).waitFor();
		const [ username, password ] = await secrets(t);
		t.house({ device: 'wled-0b0b0b', username, password, plain: 1883, stays: true, filter: 'wled/wled-0b0b0b/#' });
		await status(t, 'wled-0b0b0b is connected.').waitFor(PATIENT);
		await t.accessible('a credential on the island');
	},

	async 'a device is paired on the island, and sent back from it'(t) {
		await choose(t, 'plug', 'Without TLS, on the island');
		await t.page.getByLabel('And then').selectOption('pair');
		await t.button('Let it on the island').click();
		await t.page.getByText(/port 1883, without TLS/).waitFor();
		t.house({ device: 'plug', username: 'factory', password: 'a password of its own', plain: 1883, stays: true, filter: 'plug/#' });
		await status(t, 'Paired: the user name of plug is factory.').waitFor(PATIENT);
		await status(t, 'plug is connected.').waitFor(PATIENT);
		await t.button('Take this back').click();
		await status(t, 'It may not use the island any more.').waitFor();
		t.house({ device: 'plug', username: 'factory', password: 'a password of its own', plain: 1883 });
	},

	async 'a device that works is given a new password without cutting it off'(t) {
		await choose(t, 'lamp', 'I copy settings into it');
		assert.ok(await t.page.getByLabel('The password that it has').isHidden());
		await t.button('Make a password').click();
		await t.page.getByRole('heading', { name: 'Credential for lamp' }).waitFor();
		const [ username, old ] = await secrets(t);
		t.house({ device: 'lamp', username, password: old, stays: true, filter: 'lamp/#' });
		await status(t, 'lamp is connected.').waitFor(PATIENT);
		await t.button('I have put it into the device').click();

		await choose(t, 'lamp', 'I copy settings into it');
		const kept = t.page.getByLabel('The password that it has');
		assert.equal(await kept.inputValue(), 'kept');
		const profile = t.page.getByLabel('Profile', { exact: true }), now = await profile.inputValue();
		await profile.selectOption('sensor');
		await t.page.getByText('With another profile it has to start anew.').waitFor();
		assert.equal(await kept.inputValue(), 'ended');
		await profile.selectOption(now);
		assert.equal(await kept.inputValue(), 'kept');
		await t.button('Make a password').click();
		await t.page.getByText('The old one works until').waitFor();
		await status(t, 'It is connected with its old password').waitFor();
		await t.accessible('rotation');
		await t.picture('luci-rotate');
		const [ , password ] = await secrets(t);
		assert.notEqual(password, old);
		t.house({ device: 'lamp', username, password, stays: true, filter: 'lamp/#' });
		await status(t, 'lamp is connected.').waitFor(PATIENT);
	}
};

export const pages = async (t) => [ [ ENROL + '#' + await t.macOf('wled-0b0b0b'), 'island' ] ];
