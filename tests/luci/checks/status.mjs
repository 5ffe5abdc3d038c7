// The part of LuCI's status page.

const STATUS = '/admin/status/overview';

export const checks = {
	async 'the status page of LuCI has a part about it'(t) {
		await t.open(STATUS);
		await t.page.getByRole('link', { name: 'See more' }).waitFor();
		await t.picture('luci-status');
	}
};

/* The pages that have to fit a phone: `[path, name]`. */
export const pages = async () => [ [ STATUS, 'status' ] ];
