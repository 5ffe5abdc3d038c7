'use strict';
'require view';
'require dom';
'require mqttguard.api as api';
'require mqttguard.device as device';
'require mqttguard.firmware as firmware';
'require mqttguard.parts as parts';
'require mqttguard.words as words';

/* The table of devices, and at `#MAC` the page of one. At `#?state=STATE` the table begins filtered. */

/* Stands in a cell that has nothing to say. */
const NOTHING = '–';

/* By what the table is sorted: how a column is called, what of a device decides, what is shown. */
const COLUMNS = [
	{ name: 'name', title: () => _('Device'), by: (device) => (device.name || device.mac).toLowerCase(),
	  cell: (device) => E('a', { 'href': '#' + device.mac, 'data-key': device.mac }, [ device.name || device.mac ]) },
	{ name: 'kind', title: () => _('Make'), by: (device) => kind(device).join(' ').toLowerCase() || '\uffff',
	  cell: (device) => kind(device).join(', ') || NOTHING },
	{ name: 'state', title: () => _('State'), by: (device) => words.STATES.indexOf(device.state),
	  cell: (device) => parts.state(device.state) },
	{ name: 'address', title: () => _('Address'), by: (device) => padded(address(device)),
	  cell: (device) => address(device) || NOTHING },
	{ name: 'broker', title: () => _('Broker'), by: (device) => -connected(device),
	  cell: (device) => connected(device) ? _('connected') : NOTHING },
	{ name: 'dropped', title: () => _('Dropped frames'), by: (device) => -dropped(device),
	  cell: (device) => words.number(dropped(device)) },
	{ name: 'seen', title: () => _('Last seen'), by: (device) => -(device.last_seen_ms || 0),
	  cell: (device) => words.ago(device.last_seen_ms) }
];

function kind(device) {
	return [ device.vendor, device.firmware && firmware.title(device.firmware) ].filter(Boolean);
}

function address(device) {
	const addresses = device.addresses || [];
	return addresses.find((one) => !one.includes(':')) || addresses[0] || '';
}

/* An address with numbers of one length, so that .9 comes before .10. */
function padded(text) {
	return text.replace(/\d+/g, (digits) => digits.padStart(3, '0'));
}

function connected(device) {
	return (device.connected || []).length;
}

function dropped(device) {
	return (device.frames && device.frames.dropped) || 0;
}

/* Whether a device has what is searched for in any of its names. */
function matches(device, needle) {
	return [ device.name, device.hostname, device.mac, device.username, device.profile, device.vendor,
		device.vendor_class, device.firmware ].concat(device.addresses || [])
		.some((text) => typeof(text) == 'string' && text.toLowerCase().includes(needle));
}

function wanted() {
	try {
		return decodeURIComponent(location.hash.replace(/^#/, ''));
	}
	catch (error) {
		return '';
	}
}

return view.extend({
	load() {
		const hash = wanted(), isOne = !!hash && !hash.startsWith('?');
		const answer = isOne ? device.load(hash)
			: api.devices().then(({ devices }) => ({ devices: devices || [] }));
		return answer.catch((error) => ({ error: error, isOne: isOne }));
	},

	render(data) {
		const state = new URLSearchParams(wanted().replace(/^\?/, '')).get('state');
		this.filter = { needle: '', state: words.STATES.includes(state) ? state : '' };
		this.order = { column: 'name', down: false };
		this.content = E('div');
		this.refresh = () => {
			const asked = wanted();
			/* An answer that comes after the owner went on is not shown. */
			return this.load().then((data) => asked === wanted() && this.show(data));
		};
		this.show(data);
		window.addEventListener('hashchange', () => this.refresh().then(() => {
			const heading = this.content.querySelector('h2');
			if (heading)
				heading.focus();
		}));
		parts.follow(this.refresh, 5);
		return parts.page([ this.content ]);
	},

	show(data) {
		if (data.error) {
			this.shown = null;
			return parts.renew(this.content, [ data.error.message, data.isOne ], () => [
				data.isOne ? E('p', {}, [ E('a', { 'href': '#' }, [ '← ', _('All devices') ]) ]) : '',
				E('h2', { 'name': 'content', 'tabindex': -1 }, [ _('Devices') ]), parts.failure(data.error)
			]);
		}
		const shown = data.device ? data.device.mac : 'table';
		if (this.shown !== shown) {
			this.shown = shown;
			this.page = data.device ? new device.Page(data.device.mac, this.refresh) : null;
			parts.renew(this.content, shown, () => this.page ? this.page.node : this.frame());
		}
		if (this.page)
			return this.page.show(data);
		this.devices = data.devices;
		this.count();
		this.table();
	},

	/* The table with what it is searched and sorted by, but no rows yet. */
	frame() {
		const search = E('input', {
			'type': 'search', 'id': 'mqttguard-search', 'class': 'cbi-input-text', 'autocomplete': 'off',
			'value': this.filter.needle,
			'input': () => {
				this.filter.needle = search.value.trim().toLowerCase();
				this.table();
			}
		});
		this.states = new Map([ '' ].concat(words.STATES).map((state) =>
			[ state, E('option', { 'value': state }) ]));
		const states = E('select', {
			'id': 'mqttguard-state', 'class': 'cbi-input-select',
			'change': () => {
				this.filter.state = states.value;
				this.table();
			}
		}, [ ...this.states.values() ]);
		this.said = E('p', { 'role': 'status' });
		this.heads = COLUMNS.map((one) => E('th', { 'class': 'th', 'scope': 'col' }, [
			E('button', { 'type': 'button', 'data-key': 'sort ' + one.name, 'click': () => this.sort(one.name) },
				[ one.title(), E('span', { 'aria-hidden': 'true' }) ])
		]));
		this.body = E('tbody');
		states.value = this.filter.state;
		return [
			E('h2', { 'name': 'content', 'tabindex': -1 }, [ _('Devices') ]),
			parts.guest(),
			E('div', { 'class': 'mqttguard-filter' }, [
				E('label', { 'for': 'mqttguard-search' }, [ _('Search'), search ]),
				E('label', { 'for': 'mqttguard-state' }, [ _('State'), states ]),
				this.said
			]),
			E('table', { 'class': 'table mqttguard-devices' }, [
				E('thead', {}, [ E('tr', { 'class': 'tr table-titles' }, this.heads) ]), this.body
			])
		];
	},

	/* Writes how many devices are in each state beside the state. */
	count() {
		const total = this.devices.length;
		this.states.forEach((option, state) => {
			const count = state ? this.devices.filter((one) => one.state == state).length : total;
			const text = `${state ? words.state(state) : _('All')} (${words.number(count)})`;
			if (option.textContent != text)
				option.textContent = text;
		});
	},

	sort(name) {
		const { column, down } = this.order;
		this.order = { column: name, down: name == column && !down };
		this.table();
	},

	table() {
		const { needle, state } = this.filter, { column, down } = this.order;
		const by = COLUMNS.find((one) => one.name == column).by;
		const devices = this.devices
			.filter((device) => (!state || device.state == state) && (!needle || matches(device, needle)))
			.map((device) => [ by(device), device ])
			.sort(([ x, a ], [ y, b ]) => {
				const order = x < y ? -1 : x > y ? 1 : a.mac < b.mac ? -1 : 1;
				return down ? -order : order;
			})
			.map(([ , device ]) => device);
		const text = devices.length == this.devices.length
			? N_(devices.length, '%d device', '%d devices').format(devices.length)
			: _('%d of %d devices').format(devices.length, this.devices.length);
		if (this.said.textContent != text)
			this.said.textContent = text;
		this.heads.forEach((heading, at) => {
			const sorted = COLUMNS[at].name == column;
			heading.setAttribute('aria-sort', sorted ? (down ? 'descending' : 'ascending') : 'none');
			heading.querySelector('span').textContent = sorted ? (down ? ' ▾' : ' ▴') : '';
		});
		this.rows(devices);
	},

	rows(devices) {
		const titles = COLUMNS.map((one) => one.title());
		const nobody = this.devices.length ? _('No device is like that.') : _('No device has been seen yet.');
		parts.keep(this.body, devices.length
			? devices.map((device) => [
				device.mac,
				/* What a cell shows, but for nodes made of what the others show. */
				[ device.name, kind(device), device.state, address(device), connected(device), dropped(device),
					words.ago(device.last_seen_ms) ],
				() => {
					const cells = COLUMNS.map((one) => one.cell(device));
					return parts.row(titles, cells, COLUMNS.map((one, at) =>
						one.name + ([ NOTHING, words.number(0) ].includes(cells[at]) ? ' nothing' : '')));
				}
			])
			: [ [ 'none', nobody, () => parts.empty(COLUMNS.length, nobody) ] ]);
	},

	handleSaveApply: null,
	handleSave: null,
	handleReset: null
});
