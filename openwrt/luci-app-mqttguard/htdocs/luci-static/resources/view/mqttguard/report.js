'use strict';
'require view';
'require dom';
'require mqttguard.api as api';
'require mqttguard.parts as parts';
'require mqttguard.words as words';

/* The house against security baselines, item by item; made to be printed as it is shown. */

/* Devices that are named where an act would mend something for them. */
const NAMES = 5;

/* From what asks for an act to what does not; how it is told. */
const VERDICTS = {
	'open': () => _('Open'),
	'partly': () => _('Partly'),
	'holds': () => _('Holds'),
	'outside': () => _('Outside')
};

/* What each of them means. */
const MEANINGS = {
	'open': () => _('It does not hold.'),
	'partly': () => _('It does not hold for all devices, or not in every respect.'),
	'holds': () => _('It holds, as far as the router can tell.'),
	'outside': () => _('The router cannot say.')
};

function verdict(name) {
	const known = Object.hasOwn(VERDICTS, name);
	return E('span', { 'class': 'mqttguard-finding' + (known ? ' ' + name : '') },
		[ known ? VERDICTS[name]() : String(name) ]);
}

/* A sentence of the daemon's, in the language of the page, with its values. */
function say(sentence) {
	const values = sentence.values || [], text = _(sentence.text);
	return values.length ? text.format(...values) : text;
}

function isOpen(item) {
	return item.verdict == 'open' || item.verdict == 'partly';
}

function load() {
	return api.report().catch((error) => ({ error: error }));
}

/* Where an act is done: with the device, if it is about one alone. */
function place(act, macs) {
	const one = macs.length == 1 && (act.page == 'enrol' || act.page == 'devices');
	return parts.place(act.page, one ? macs[0] : '');
}

function device(concern) {
	return E('li', {}, [
		E('a', { 'href': parts.place('devices', concern.mac) }, [ concern.name || concern.mac ]),
		' ', E('span', { 'class': 'mqttguard-mac' }, [ concern.mac ]), ': ', say(concern.why)
	]);
}

/* One item, folded to a line unless `open`. */
function entry(item, open) {
	const devices = item.devices || [], acts = item.acts || [];
	const macs = [ ...new Set(devices.map((one) => one.mac)) ];
	const id = 'mqttguard-' + item.id;
	return E('details', { 'class': 'mqttguard-item', 'aria-labelledby': id, 'open': open ? '' : null }, [
		E('summary', {}, [
			verdict(item.verdict),
			E('h4', { 'id': id }, [ E('span', { 'class': 'mqttguard-clause' }, [ item.clause ]), ' ', say(item.title) ])
		]),
		E('p', {}, [ (item.says || []).map(say).join(' ') ]),
		devices.length ? E('p', { 'class': 'mqttguard-for' }, [ _('Not for these devices:') ]) : '',
		devices.length ? E('ul', {}, devices.map(device).concat(item.more
			? [ E('li', {}, [ _('and more of them: %d').format(item.more) ]) ] : [])) : '',
		acts.length ? E('p', { 'class': 'mqttguard-acts' }, [ _('What mends it:') ].concat(acts.flatMap((act) => [
			' ', E('a', { 'href': place(act, macs) }, [ _(act.text) ])
		]))) : ''
	]);
}

/* The first names of a list that may be long. */
function few(names) {
	const shown = names.slice(0, NAMES).join(', ');
	return names.length > NAMES ? _('%s and %d more').format(shown, names.length - NAMES) : shown;
}

/* What mends the most of what is open, each once. */
function mending(items) {
	const acts = new Map();
	items.filter(isOpen).forEach((item) => (item.acts || []).forEach((act) => {
		const known = acts.get(act.text) || { act: act, items: [], devices: new Map() };
		known.items.push(item.clause);
		(item.devices || []).forEach((one) => known.devices.set(one.mac, one.name || one.mac));
		acts.set(act.text, known);
	}));
	return [ ...acts.values() ].sort((a, b) => b.items.length - a.items.length);
}

return view.extend({
	load: load,

	render(data) {
		this.content = E('div');
		this.onlyOpen = false;
		this.items = E('div');
		this.printed();
		this.show(data);
		return E('div', { 'class': 'mqttguard-report' }, [
			E('link', { 'rel': 'stylesheet', 'href': L.resource('mqttguard/report.css') }),
			parts.page([ this.content ])
		]);
	},

	show(data) {
		const again = parts.button(data.error ? _('Try again') : _('Make it anew'),
			() => load().then((made) => this.anew(made)), { key: 'again' });
		if (data.error) {
			parts.renew(this.content, data, () => [ E('h2', { 'name': 'content' }, [ _('Report') ]),
				parts.failure(data.error), E('p', {}, [ again ]) ]);
			return;
		}
		this.data = data;
		const only = E('input', {
			'type': 'checkbox', 'id': 'mqttguard-only-open', 'checked': this.onlyOpen ? '' : null,
			'change': () => {
				this.onlyOpen = only.checked;
				this.list();
			}
		});
		this.items = E('div');
		this.count = E('p', { 'role': 'status' });
		this.trouble = E('div', { 'aria-live': 'assertive' });
		parts.renew(this.content, data, () => [
			E('h2', { 'name': 'content' }, [ _('Security report of this house') ]),
			E('p', { 'role': 'status' }, [ _('Made %s by mqttguard %s.').format(new Date(data.made_ms).toLocaleString(), data.version) ]
				.concat((data.notes || []).map((note) => ' ' + say(note)))),
			this.summary(),
			this.acts(),
			E('div', { 'class': 'mqttguard-filter' }, [
				E('label', { 'class': 'mqttguard-check', 'for': 'mqttguard-only-open' },
					[ only, ' ', _('Only what is open') ]),
				parts.button(_('Unfold all'), () => this.fold(true)),
				parts.button(_('Fold all'), () => this.fold(false)),
				parts.button(_('Print'), () => window.print()),
				again,
				this.count
			]),
			this.trouble,
			this.items
		]);
		this.list();
	},

	/* Shows another. One that could not be made leaves the one that is there. */
	anew(made) {
		if (!made.error || !this.data)
			return this.show(made);
		dom.content(this.trouble, [ parts.failure(made.error) ]);
	},

	/* How many items of each standard are how. */
	summary() {
		const names = Object.keys(VERDICTS);
		const rows = this.data.standards.map((standard) => [ standard.name ].concat(names.map((name) =>
			words.number(this.data.items.filter((item) =>
				item.standard == standard.id && item.verdict == name).length))));
		return E('div', { 'class': 'mqttguard-summary' }, [
			parts.table([ _('Standard') ].concat(names.map((name) => VERDICTS[name]())), rows, ''),
			E('dl', { 'class': 'mqttguard-legend' }, names.flatMap((name) => [
				E('dt', {}, [ verdict(name) ]), E('dd', {}, [ MEANINGS[name]() ])
			]))
		]);
	},

	/* What to do first. */
	acts() {
		const found = mending(this.data.items);
		return found.length ? E('section', { 'class': 'cbi-section mqttguard-mending' }, [
			E('h3', {}, [ _('What mends what is open') ]),
			E('ul', {}, found.map(({ act, items, devices }) => E('li', {}, [
				E('a', { 'href': place(act, [ ...devices.keys() ]) }, [ _(act.text) ]), ' ',
				N_(items.length, '(%d item)', '(%d items)').format(items.length),
				devices.size ? ' ' + few([ ...devices.values() ]) : ''
			])))
		]) : '';
	},

	fold(open) {
		this.items.querySelectorAll('details').forEach((one) => {
			one.open = open;
		});
	},

	/* On paper nothing is folded; what was is again afterwards. */
	printed() {
		let folded = [];
		window.addEventListener('beforeprint', () => {
			folded = [ ...this.items.querySelectorAll('details:not([open])') ];
			this.fold(true);
		});
		window.addEventListener('afterprint', () => folded.forEach((one) => {
			one.open = false;
		}));
	},

	/* The items, of each standard on its own: all of them folded, what is open alone unfolded. */
	list() {
		const wanted = this.data.items.filter((item) => !this.onlyOpen || isOpen(item));
		const text = _('%d of %d items').format(wanted.length, this.data.items.length);
		if (this.count.textContent != text)
			this.count.textContent = text;
		dom.content(this.items, this.data.standards.map((standard) => {
			const items = wanted.filter((item) => item.standard == standard.id);
			return E('section', { 'class': 'cbi-section mqttguard-standard' }, [
				E('h3', {}, [ standard.name ])
			].concat(items.length ? items.map((item) => entry(item, this.onlyOpen))
				: [ E('p', {}, [ E('em', {}, [ _('Nothing is open.') ]) ]) ]));
		}));
	},

	handleSaveApply: null,
	handleSave: null,
	handleReset: null
});
