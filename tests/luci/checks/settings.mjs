// The settings: all of the configuration, held against the daemon's own reading of it, and the router's
// certificates.

import assert from 'node:assert/strict';

const SETTINGS = '/admin/services/mqttguard/settings';
const OWNER = '00000000000000000000000000000001';

/* What options are tried with, by the type of their value, beside what fits all. */
const SAMPLES = {
	any: [ '0', '1', 'x', ' ', 'a b', '/', '..', '#', '-1', '4294967296', 'é', 'ü'.repeat(200), 'a'.repeat(300), 'on', 'a\'b' ],
	number: [ '10', '1000', '65535', '65536', '1000000', '+1', '1.5', '01', '10s' ],
	size: [ '512', '16k', '1M', '4096M', '1K', '1m', 'k', '0k', '64k' ],
	time: [ '90s', '10m', '1h', '1d', '30d', '10', '1w', '0s', '3651d', '10M' ],
	choice: [ 'enforce', 'tls', 'drop', 'ENFORCE', 'optional', '5' ],
	moment: [ '2026-12-31', '2026-02-30', '2024-02-29', '2026-12-31T18:00Z', '2026-12-31T18:00:59+01:00',
		'2026-12-31T24:00Z', '2026-12-31T18:00', '1969-12-31', '2026-1-1', '2026-12-31T18:00:60Z' ],
	mac: [ '02:c1:1e:17:00:01', '02-c1-1e-17-00-01', '02C11E170001', '01:c1:1e:17:00:01', '00:00:00:00:00:00',
		'ff:ff:ff:ff:ff:ff', '02:c1:1e:17:00', '02:c1:1e:17:00:0g', '02:c1-1e:17:00:01' ],
	address: [ '192.168.1.1', '192.168.1.256', '192.168.01.1', '1.2.3', '224.0.0.1', 'fd00::1', '::', 'ff02::1',
		'::ffff:1.2.3.4', 'fe80::1%br-lan', '[fd00::1]', '1:2:3:4:5:6:7:8:9', '1::2::3', '0.0.0.0', '::1.2.3.4' ],
	prefix: [ '203.0.113.7', '203.0.113.0/24', '203.0.113.7/24', '203.0.113.0/33', '2001:db8::/32', '2001:db8::1/32',
		'0.0.0.0/0', '::/0', '203.0.113.0/', '203.0.113.0/024', '10.0.0.0/8/8', '2001:db8::/129', '10.128.0.0/9' ],
	text: [ 'lan', 'br-lan', 'br/lan', 'a:b', '.', 'https://ha.lan:8123', 'https://HA.lan', '*', 'http://', 'ha.lan',
		'-ha.lan', 'ha-.lan', 'ha..lan', 'a'.repeat(63), 'a'.repeat(64) + '.lan', 'a'.repeat(15), 'cloud/', '$SYS/', 'a+/', 'sub' ],
	host: [ 'mqtt.example.org', '192.0.2.1', '224.0.0.1', 'fd00::1', 'a..b', '-a', 'a_b', 'ff02::1' ],
	url: [ 'https://auth.example/mqtt', 'http://127.0.0.1:8080/mqtt', 'http://auth.example/', 'http://localhost',
		'https://auth.example:0/', 'https://auth.example:/', 'https://[fd00::1]:8443/x', 'http://[::1]/', 'http://[fd00::1]/',
		'https://a@b/', 'https://a/#b', 'https://auth.example?x', 'ftp://a/', 'https://-a/', 'http://127.0.0.2/', 'https:///x' ],
	path: [ '/etc/x.pem', 'etc/x.pem', '/etc/../x', '/a b', '/..a', '/' + 'a'.repeat(200) ],
	pattern: [ '%d/#', 'a/+/b', 'a/#/b', 'a+/b', '$SYS/#', '$share/a/b', '%', '%%', '%q', '%d%m%n%x%y%c%u', 'a//b',
		'%%%', '%%d', 'a/'.repeat(31) + 'a', 'a/'.repeat(32) + 'a', 'ä'.repeat(128), 'ä'.repeat(129) ]
};

/* A call on the bus, as the owner. */
async function call(t, object, method, parameters) {
	const answer = await t.page.request.post(new URL('/ubus/', t.url).href, { data: {
		jsonrpc: '2.0', id: 1, method: 'call', params: [ OWNER, object, method, parameters ]
	} });
	const { result } = await answer.json();
	assert.equal(result[0], 0, `${object} ${method} ${JSON.stringify(parameters)}`);
	return result[1];
}

/* Puts a section of its own into the file, asks the daemon what it finds wrong there, and takes it out. */
async function verdict(t, section, values) {
	const name = section.only || 'probe';
	const there = section.only == 'main';
	const before = there ? (await call(t, 'uci', 'get', { config: 'mqttguard' })).values.main : {};
	if (!there)
		await call(t, 'uci', 'add', { config: 'mqttguard', type: section.kind, name });
	await call(t, 'uci', 'set', { config: 'mqttguard', section: name, values });
	await call(t, 'uci', 'commit', { config: 'mqttguard' });
	const { errors } = await call(t, 'mqttguard', 'check', {});
	if (there) {
		const old = Object.fromEntries(Object.entries(before).filter(([ option ]) => !option.startsWith('.')));
		await call(t, 'uci', 'delete', { config: 'mqttguard', section: name, options: Object.keys(values) });
		await call(t, 'uci', 'set', { config: 'mqttguard', section: name, values: old });
	}
	else
		await call(t, 'uci', 'delete', { config: 'mqttguard', section: name });
	await call(t, 'uci', 'commit', { config: 'mqttguard' });
	// That an option is of no use beside another is no matter of its value.
	const own = errors.filter((line) => !/, expected (?:kind '|option client_ca)/.test(line));
	return new Set(own.map((line) => (/ '(?:probe|main|jwt|http_auth)': option (\w+):/.exec(line) || [])[1]));
}

const tab = (t, name) => t.page.locator('.cbi-tabmenu a', { hasText: new RegExp(`^${name}$`) }).first().click();
const field = (t, option) => t.page.locator(`[data-name="${option}"]:visible`).last();

export const checks = {
	async 'every option of the daemon has a place, a name and a help'(t) {
		await t.open(SETTINGS);
		const missing = await t.page.evaluate(async () => {
			const [ options, titles ] = await Promise.all([ L.require('mqttguard.options'), L.require('mqttguard.titles') ]);
			return options.SECTIONS.flatMap((section) => section.options
				.filter((option) => !titles.option(section.kind, option.name) || !option.help())
				.map((option) => section.kind + '.' + option.name));
		});
		assert.deepEqual(missing, []);
		const shown = await t.page.locator('#cbi-mqttguard-main [data-name]').count();
		const { all } = await t.page.evaluate(async () => ({
			all: (await L.require('mqttguard.options')).SECTIONS[0].options.length
		}));
		assert.equal(shown, all);
		await t.accessible('settings');
		await t.picture('luci-settings');
	},

	async 'the form and the daemon are of one mind about what an option can be'(t) {
		await t.open(SETTINGS);
		const sections = await t.page.evaluate(async () =>
			JSON.parse(JSON.stringify((await L.require('mqttguard.options')).SECTIONS)));
		const differ = [];
		for (const section of sections) {
			const options = section.options.filter((option) => option.value.type != 'reference');
			const samples = (option) => [ ...new Set(SAMPLES.any.concat(SAMPLES[option.value.type] || [])) ];
			const rounds = Math.max(...options.map((option) => samples(option).length));
			for (let round = 0; round < rounds; ++round) {
				const tried = options.filter((option) => round < samples(option).length);
				const values = Object.fromEntries(tried.map((option) =>
					[ option.name, option.list ? [ samples(option)[round] ] : samples(option)[round] ]));
				const wrong = await verdict(t, section, values);
				const accepted = await t.page.evaluate(async ([ kind, values ]) => {
					const [ options, kinds ] = await Promise.all([ L.require('mqttguard.options'), L.require('mqttguard.kinds') ]);
					const known = options.SECTIONS.find((one) => one.kind == kind).options;
					return Object.entries(values).filter(([ name, value ]) =>
						kinds.accepts(known.find((one) => one.name == name), [].concat(value)[0])).map(([ name ]) => name);
				}, [ section.kind, values ]);
				for (const option of tried)
					if (wrong.has(option.name) == accepted.includes(option.name))
						differ.push(`${section.kind}.${option.name} '${samples(option)[round]}': the form ` +
							(accepted.includes(option.name) ? 'takes it' : 'refuses it'));
			}
		}
		assert.deepEqual(differ, []);
	},

	async 'what is wrong is said while it is typed, and not saved'(t) {
		await t.open(SETTINGS);
		// LuCI leaves the refusal that it has shown to the console too.
		t.expected.push(/contains an invalid input value/);
		const time = t.page.getByLabel('Length of a quarantine');
		await time.fill('10');
		await time.press('Tab');
		await t.page.locator('.cbi-input-invalid').first().waitFor();
		await t.page.locator('.cbi-page-actions').getByRole('button', { name: 'Save', exact: true }).click();
		await t.page.getByText(/found 10, expected a time such as 90s/).first().waitFor();
		const { changes } = await call(t, 'uci', 'changes', {});
		assert.deepEqual(Object.values(changes).flat(), []);
	},

	async 'a setting is saved and in force, and nothing else is changed'(t) {
		const before = (await call(t, 'uci', 'get', { config: 'mqttguard' })).values;
		await t.open(SETTINGS);
		await t.page.getByLabel('What is done about plaintext MQTT').selectOption('monitor');
		await Promise.all([
			t.page.waitForEvent('load', { timeout: 30000 }),
			t.page.locator('.cbi-page-actions').getByText('Save & Apply').click()
		]);
		await t.page.waitForSelector('.mqttguard');
		assert.equal((await call(t, 'mqttguard', 'status', {})).mode, 'monitor');
		const after = (await call(t, 'uci', 'get', { config: 'mqttguard' })).values;
		assert.equal(after.main.mode, 'monitor');
		delete after.main.mode;
		assert.deepEqual(after, before);
	},

	async 'a profile is added, in its dialog'(t) {
		await t.open(SETTINGS);
		await tab(t, 'Profiles');
		const section = t.page.locator('#cbi-mqttguard-profile');
		await section.locator('input').pressSequentially('camera');
		await section.getByRole('button', { name: 'Add' }).click();
		const modal = t.page.locator('.modal');
		await modal.getByText('Profiles: camera').waitFor();
		const topics = field(t, 'publish').locator('input[type=text]').last();
		await topics.fill('cam/%d/#');
		await topics.press('Enter');
		await modal.getByLabel('Limits').selectOption('camera');
		await t.picture('luci-settings-profile');
		await modal.getByRole('button', { name: 'Save' }).click();
		await section.getByText('cam/%d/#').waitFor();
		const { values } = await call(t, 'uci', 'get', { config: 'mqttguard' });
		assert.deepEqual(values.camera.publish, [ 'cam/%d/#' ]);
		assert.equal(values.camera.limits, 'camera');
		await call(t, 'uci', 'revert', { config: 'mqttguard' });
	},

	async 'an option that another makes pointless is not shown'(t) {
		await t.open(SETTINGS);
		await tab(t, 'Listeners');
		await t.page.locator('#cbi-mqttguard-listener').getByRole('button', { name: 'Edit' }).click();
		const modal = t.page.locator('.modal');
		await modal.getByLabel('Kind').selectOption('wss');
		await field(t, 'origin').waitFor();
		await modal.getByLabel('Kind').selectOption('plain');
		await modal.locator('[data-name=origin]').waitFor({ state: 'hidden' });
		await modal.locator('[data-name=client_ca]').waitFor({ state: 'hidden' });
		await modal.getByRole('button', { name: 'Dismiss' }).click();
	},

	async 'what the daemon finds wrong is told at its section, and hostile text stays text'(t) {
		const name = '<img src=x onerror="window.hostile = 1">';
		await call(t, 'uci', 'add', { config: 'mqttguard', type: 'device', values: { mac: '02:c1:1e:17:00:55', name } });
		await call(t, 'uci', 'add', { config: 'mqttguard', type: 'profile', name: 'odd', values: { limits: 'none_such' } });
		await call(t, 'uci', 'apply', { rollback: false });
		await t.open(SETTINGS);
		await t.page.getByRole('alert').getByText('There are 2 mistakes in the configuration.', { exact: false }).waitFor();
		await t.page.getByRole('alert').getByText('none_such', { exact: false }).waitFor();
		await tab(t, 'Profiles');
		await t.page.locator('#cbi-mqttguard-profile .mqttguard-mistakes').getByText(/odd: Limits: found 'none_such'/).waitFor();
		await tab(t, 'Devices');
		await t.page.locator('#cbi-mqttguard-device .mqttguard-mistakes').getByText(name, { exact: false }).waitFor();
		await t.page.locator('#cbi-mqttguard-device').getByRole('button', { name: 'Edit' }).first().click();
		await t.page.locator('.modal h4').getByText('Devices: \u2039img src=x', { exact: false }).waitFor();
		assert.equal(await t.page.locator('.modal img').count(), 0);
		await t.page.locator('.modal').getByRole('button', { name: 'Dismiss' }).click();
		assert.equal(await t.page.evaluate(() => window.hostile), undefined);
		assert.equal(await t.page.locator('#view img').count(), 0);
		const { values } = await call(t, 'uci', 'get', { config: 'mqttguard' });
		for (const section of [ 'odd', Object.keys(values).find((one) => values[one].name == name) ])
			await call(t, 'uci', 'delete', { config: 'mqttguard', section });
		await call(t, 'uci', 'apply', { rollback: false });
		assert.ok((await call(t, 'mqttguard', 'check', {})).ok);
	},

	async 'the CA is downloaded, and the certificates are renewed with their keys'(t) {
		await t.open(SETTINGS);
		await tab(t, 'Certificates');
		const ca = await call(t, 'mqttguard', 'ca', {});
		await t.page.getByText(ca.ca.sha256).waitFor();
		await t.page.getByText(ca.leaves[0].sha1).waitFor();
		const [ file ] = await Promise.all([
			t.page.waitForEvent('download'), t.button('Download mqttguard-ca.crt').click()
		]);
		const chunks = await (await file.createReadStream()).toArray();
		assert.equal(Buffer.concat(chunks).toString(), ca.ca.pem);
		await t.accessible('certificates');
		await t.picture('luci-certificates');
		await t.button('Renew them now').click();
		await t.page.getByRole('button', { name: 'Renew', exact: true }).click();
		await t.page.getByText('The certificates are new. The keys are the same.').waitFor();
		assert.equal(await t.page.getByText(ca.leaves[0].sha256).count(), 0);
		await t.page.getByText(ca.ca.sha256).waitFor();
		// A second time at once is more than the daemon does.
		await t.button('Renew them now').click();
		await t.page.getByRole('button', { name: 'Renew', exact: true }).click();
		await t.page.getByRole('alert').getByText('Once a minute is the limit', { exact: false }).waitFor();
		await t.button('Renew them now').waitFor();
	},

	async 'whoever may only look can save nothing'(t) {
		await t.open(SETTINGS + '?guest');
		assert.ok(await t.page.getByLabel('What is done about plaintext MQTT').isDisabled());
		assert.ok(await t.page.locator('.cbi-page-actions').getByRole('button', { name: 'Save', exact: true }).isDisabled());
		await tab(t, 'Certificates');
		await t.button('Renew them now').click();
		await t.page.getByRole('button', { name: 'Renew', exact: true }).click();
		await t.page.getByRole('alert').getByText('You may look, but not change anything here.').waitFor();
	}
};

export const pages = async () => [ [ SETTINGS, 'settings' ] ];
