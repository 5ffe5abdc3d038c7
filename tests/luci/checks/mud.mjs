// What makers say of devices. The house has a lamp whose maker signs it, a plug whose maker does not, and a
// quiet device that announces nothing.

import assert from 'node:assert/strict';

const DEVICES = '/admin/services/mqttguard/devices';
/* A fetch may take eight seconds. */
const PATIENT = { timeout: 30000 };

const part = (t) => t.page.locator('section', { has: t.page.getByRole('heading', { name: 'What its maker says', level: 3 }) });

async function open(t, name, query = '') {
	await t.open(DEVICES + query + '#' + await t.macOf(name));
	await part(t).waitFor();
}

export const checks = {
	async 'what a maker has signed is shown and accepted'(t) {
		await open(t, 'lamp');
		await part(t).getByText("That is the device's own word.", { exact: false }).waitFor();
		await t.button('Fetch and show').click();
		await part(t).getByText('The Acme lamp', { exact: false }).waitFor(PATIENT);
		await part(t).getByText('O=Acme, CN=MUD signer', { exact: false }).waitFor();
		await part(t).getByText('mqtt.maker.example', { exact: false }).first().waitFor();
		await t.accessible('mud');
		await t.picture('luci-mud');
		await part(t).getByRole('button', { name: 'Accept' }).click();
		await t.dialog.getByText(/may then send unencrypted MQTT to .*mqtt\.maker\.example/).waitFor();
		await t.dialog.getByRole('button', { name: 'Accept' }).click();
		await part(t).getByText('You have accepted this.', { exact: false }).waitFor();
		await t.page.getByText('mqtt.maker.example, as its maker says (MUD)').waitFor(PATIENT);
	},

	async 'what nobody has signed is accepted only against a warning'(t) {
		await open(t, 'plug');
		await t.button('Fetch and show').click();
		await part(t).getByText('not signed', { exact: false }).first().waitFor(PATIENT);
		assert.equal(await part(t).getByRole('button', { name: 'Accept', exact: true }).count(), 0);
		await part(t).getByRole('button', { name: 'Accept though nobody vouches for it' }).click();
		await t.dialog.getByText('Nobody trusted says that this is from its maker', { exact: false }).waitFor();
		await t.dialog.getByRole('button', { name: 'Accept' }).click();
		await part(t).getByText('You have accepted this.', { exact: false }).waitFor();
	},

	async 'a device that announces nothing has nothing to fetch, and a guest may not'(t) {
		await open(t, 'quiet');
		await part(t).getByText('It does not announce where its maker describes it.').waitFor();
		assert.equal(await t.button('Fetch and show').count(), 0);
		await open(t, 'plug', '?guest');
		assert.equal(await part(t).getByRole('button').count(), 0);
		assert.equal(await part(t).getByRole('textbox').count(), 0);
	},

	async 'an address is typed, and what is wrong with it is said'(t) {
		await open(t, 'quiet');
		const typed = part(t).getByLabel('Another address');
		const fetch = part(t).getByRole('button', { name: 'Fetch from there' });
		await typed.fill('http://maker.example/typed.json');
		await fetch.click();
		await part(t).getByText('"http://maker.example/typed.json" is no address of a description. It looks like https://maker.example/lamp.json.').waitFor();
		await typed.fill('https://nowhere.maker.example/typed.json');
		await typed.press('Enter');
		await part(t).getByText('the name nowhere.maker.example cannot be looked up', { exact: false }).waitFor(PATIENT);
		await typed.fill('https://maker.example:8443/typed.json');
		await fetch.click();
		await part(t).getByText('The Acme sensor', { exact: false }).waitFor(PATIENT);
		await part(t).getByText(/publishes to acme\/%m\/#, which is acme\/[0-9A-F]{12}\/#: taken over/).waitFor();
		await part(t).getByText(/publishes to homeassistant\/#: left alone/).waitFor();
		await t.accessible('mud-typed');
		await part(t).getByRole('button', { name: 'Accept though nobody vouches for it' }).click();
		await t.dialog.getByText(/may then publish to acme\/[0-9A-F]{12}\/#\./).waitFor();
		await t.dialog.getByText(/may then subscribe to acme\/[0-9A-F]{12}\/set\./).waitFor();
		await t.dialog.getByRole('button', { name: 'Accept' }).click();
		await part(t).getByText('You have accepted this.', { exact: false }).waitFor();
		const granted = t.page.locator('section', { has: t.page.getByRole('heading', { name: 'Granted to it alone', level: 3 }) });
		await granted.getByText('as its maker says (MUD)').first().waitFor(PATIENT);
		assert.equal(await granted.getByRole('button').count(), 0);
	}
};

export const pages = async (t) => [ [ DEVICES + '#' + await t.macOf('plug'), 'mud' ] ];
