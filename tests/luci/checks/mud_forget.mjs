// What was accepted of a lamp in the house is forgotten.

const DEVICES = '/admin/services/mqttguard/devices';

export const checks = {
	async 'what was accepted is taken back'(t) {
		await t.open(DEVICES + '#' + await t.macOf('lamp'));
		const part = t.page.locator('section', { has: t.page.getByRole('heading', { name: 'What its maker says', level: 3 }) });
		await part.getByText('You have accepted this.', { exact: false }).waitFor();
		await part.getByRole('button', { name: 'Forget it' }).click();
		await t.dialog.getByRole('button', { name: 'Forget it' }).click();
		await part.getByText("That is the device's own word.", { exact: false }).waitFor();
	}
};

/* It is the page of `mud.mjs`. */
export const pages = async () => [];
