// A house whose configuration has a mistake; an earlier one is in force.

const OVERVIEW = '/admin/services/mqttguard/overview';

export const checks = {
	async 'mistakes in the configuration are listed, with where to correct them'(t) {
		await t.open(OVERVIEW);
		await t.page.getByText('The configuration has mistakes; an earlier one is in force.').waitFor();
		await t.page.getByText(/no-such-mode/).first().waitFor();
		await t.page.getByRole('link', { name: 'Settings', exact: true }).last().waitFor();
	}
};

/* The pages that have to fit a phone: `[path, name]`. */
export const pages = async () => [];
