// A house whose router has neither BPF nor nftables.

const OVERVIEW = '/admin/services/mqttguard/overview';

export const checks = {
	async 'without BPF and nftables nothing is protected'(t) {
		await t.open(OVERVIEW);
		await t.page.getByRole('heading', { name: 'Not protected' }).waitFor();
		await t.page.getByText(/^Frames are not checked in the kernel: /).waitFor();
	}
};

/* The pages that have to fit a phone: `[path, name]`. */
export const pages = async () => [];
