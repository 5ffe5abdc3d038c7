// A house whose router has no BPF: the firewall stands in.

const OVERVIEW = '/admin/services/mqttguard/overview';

export const checks = {
	async 'without BPF the house is partly protected, and what to do is said'(t) {
		await t.open(OVERVIEW);
		await t.page.getByRole('heading', { name: 'Partly protected' }).waitFor();
		await t.page.getByText(/^Frames are not checked in the kernel: /).waitFor();
		await t.page.getByText(/Install a firmware whose kernel has it/).waitFor();
		await t.picture('luci-overview-reduced');
	}
};

/* The pages that have to fit a phone: `[path, name]`. */
export const pages = async () => [ [ OVERVIEW, 'overview-reduced' ] ];
