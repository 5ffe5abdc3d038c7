// What the checks have in common.

import assert from 'node:assert/strict';
import { join } from 'node:path';

/* The tools of every check, for a page of a browser. `url` is where LuCI's pages begin, `pictures` a
 * directory for pictures of them, or nothing. */
export function tools(page, url, pictures) {
	const button = (name) => page.getByRole('button', { name });
	const dialog = page.getByRole('dialog');

	async function open(path) {
		// A page of its own each time: a new hash alone would not load it anew.
		await page.goto('about:blank');
		await page.goto(url + path);
		await page.waitForSelector('.mqttguard');
	}

	/* Of the whole page, unless it is long and only its top is wanted. */
	async function picture(name, { whole = true } = {}) {
		if (pictures)
			await page.screenshot({ path: join(pictures, name + '.png'), fullPage: whole, animations: 'disabled' });
	}

	/* What a reader of the screen, a keyboard and a narrow screen need, of any page. */
	async function accessible(what) {
		const faults = await page.evaluate(() => {
			const faults = [], shown = (node) => node.getClientRects().length > 0;
			document.querySelectorAll('#view button, #view input, #view select, #view a, .modal button, .modal input, .modal select')
				.forEach((node) => {
					const name = node.getAttribute('aria-label') || node.textContent.trim() ||
						[ ...(node.labels || []) ].map((label) => label.textContent.trim()).join(' ');
					if (shown(node) && !name)
						faults.push('no name: ' + node.outerHTML);
					if (node.tabIndex < 0)
						faults.push('out of a keyboard\'s reach: ' + node.outerHTML);
				});
			let level = 0;
			document.querySelectorAll('#view h2, #view h3, #view h4, #view h5').forEach((node) => {
				const own = Number(node.tagName[1]);
				if (level && own > level + 1)
					faults.push('a heading skips a level: ' + node.textContent);
				level = own;
			});
			document.querySelectorAll('[id]').forEach((node) => {
				if (document.querySelectorAll('#' + CSS.escape(node.id)).length > 1)
					faults.push('an id twice: ' + node.id);
			});
			return faults;
		});
		assert.deepEqual(faults, [], what);
	}

	async function fits(what) {
		const { wide, over } = await page.evaluate(() => ({
			wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
			over: [ ...document.querySelectorAll('#view *') ]
				.filter((node) => node.getBoundingClientRect().right > innerWidth + 1).map((node) => node.outerHTML.slice(0, 200))
		}));
		assert.ok(wide <= 0, `${what} is ${wide} pixels wider than the screen: ${over.slice(0, 3)}`);
	}

	/* How light text is against what is behind it, as WCAG 2 counts it: at least 4.5 for small text. */
	async function contrast(what) {
		const faint = await page.evaluate(() => {
			const channels = (colour) => (colour.match(/[\d.]+/g) || []).map(Number);
			const light = (colour) => channels(colour).slice(0, 3).map((value) => value / 255)
				.map((value) => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
				.reduce((sum, value, at) => sum + value * [ 0.2126, 0.7152, 0.0722 ][at], 0);
			const behind = (node) => {
				for (; node; node = node.parentElement) {
					const { backgroundColor: colour, backgroundImage: image } = getComputedStyle(node);
				const alpha = channels(colour)[3], gradient = /^linear-gradient\((rgb[^)]*\))/.exec(image);
				if (gradient)
					return gradient[1];
					if (alpha === undefined || alpha > 0.5)
						return colour;
				}
				return 'rgb(255, 255, 255)';
			};
			return [ ...document.querySelectorAll('.mqttguard p, .mqttguard h3, .mqttguard dt, .mqttguard dd, .mqttguard td, .mqttguard .message, .mqttguard-state') ]
				.filter((node) => node.getClientRects().length && node.textContent.trim())
				.map((node) => {
					const [ a, b ] = [ light(getComputedStyle(node).color), light(behind(node)) ];
					return [ (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), node ];
				})
				.filter(([ ratio ]) => ratio < 4.5)
				.map(([ ratio, node ]) => `${ratio.toFixed(1)}: ${node.outerHTML.slice(0, 120)}`);
		});
		assert.deepEqual(faint, [], what);
	}

	/* The MAC address of a device of the house, by its name. */
	async function macOf(name) {
		const answer = await page.request.post(new URL('/ubus/', url).href, { data: {
			jsonrpc: '2.0', id: 1, method: 'call',
			params: [ '00000000000000000000000000000001', 'mqttguard', 'device', { device: name } ]
		} });
		return (await answer.json()).result[1].mac;
	}

	/* Waits until the page has asked for this anew and shown what it was answered: it asks again then. */
	async function again(method) {
		const asks = (request) => (request.postData() || '').includes(`"${method}"`);
		await page.waitForRequest(asks);
		await page.waitForRequest(asks);
	}

	/* Has something done in the house: `mqttguard_tests::luci::check_with` says by whom. */
	function house(order) {
		console.log('HOUSE ' + JSON.stringify(order));
	}

	/* What the console may complain of in a check: patterns that it adds. */
	const expected = [];

	return { page, url, house, expected, button, dialog, open, picture, accessible, fits, contrast, macOf, again };
}
