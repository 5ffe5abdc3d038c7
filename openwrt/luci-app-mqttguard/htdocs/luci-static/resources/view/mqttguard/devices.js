'use strict';
'require view';
'require poll';
'require dom';
'require mqttguard.actions as actions';
'require mqttguard.api as api';
'require mqttguard.parts as parts';
'require mqttguard.words as words';

/* The table of devices, and at `#MAC` the page of one. At `#?state=STATE` the table begins filtered. */

/* By what the table is sorted: how a column is called, what of a device decides, what is shown. */
const COLUMNS = [
	{ name: 'name', title: () => _('Device'), by: (device) => (device.name || device.mac).toLowerCase(),
	  cell: (device) => E('a', { 'href': '#' + device.mac, 'data-key': device.mac }, [ device.name || device.mac ]) },
	{ name: 'state', title: () => _('State'), by: (device) => words.STATES.indexOf(device.state),
	  cell: (device) => parts.state(device.state) },
	{ name: 'address', title: () => _('Address'), by: (device) => padded(address(device)),
	  cell: (device) => address(device) || '–' },
	{ name: 'broker', title: () => _('Broker'), by: (device) => -connected(device),
	  cell: (device) => connected(device) ? _('connected') : '–' },
	{ name: 'dropped', title: () => _('Dropped frames'), by: (device) => -dropped(device),
	  cell: (device) => words.number(dropped(device)) },
	{ name: 'seen', title: () => _('Last seen'), by: (device) => -(device.last_seen_ms || 0),
	  cell: (device) => words.ago(device.last_seen_ms) }
];

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
		device.firmware ].concat(device.addresses || [])
		.some((text) => typeof(text) == 'string' && text.toLowerCase().includes(needle));
}

function wanted() {
	return decodeURIComponent(location.hash.replace(/^#/, ''));
}

function load() {
	const hash = wanted();
	const answer = hash && !hash.startsWith('?')
		? api.device(hash).then((device) => ({ device: device }))
		: api.devices().then(({ devices }) => ({ devices: devices || [] }));
	return answer.catch((error) => ({ error: error }));
}

return view.extend({
	load: load,

	render(data) {
		const state = new URLSearchParams(wanted().replace(/^\?/, '')).get('state');
		this.filter = { needle: '', state: words.STATES.includes(state) ? state : '' };
		this.order = { column: 'name', down: false };
		this.content = E('div');
		this.refresh = () => {
			const asked = wanted();
			/* An answer that comes after the owner went on is not shown. */
			return load().then((data) => asked === wanted() && this.show(data));
		};
		this.show(data);
		window.addEventListener('hashchange', () => this.refresh().then(() => {
			const heading = this.content.querySelector('h2');
			if (heading)
				heading.focus();
		}));
		poll.add(this.refresh, 5);
		return parts.page([ this.content ]);
	},

	show(data) {
		if (data.error) {
			this.shown = null;
			dom.content(this.content, [
				E('h2', { 'name': 'content', 'tabindex': -1 }, [ _('Devices') ]), parts.failure(data.error)
			]);
			return;
		}
		const shown = data.device ? data.device.mac : 'table';
		if (this.shown !== shown) {
			this.shown = shown;
			this.part = E('div');
			dom.content(this.content, data.device ? this.part : this.frame());
		}
		if (data.device)
			parts.renew(this.part, [ data.device, Math.floor(Date.now() / 60000) ],
				() => this.page(data.device));
		else {
			this.devices = data.devices;
			this.table();
		}
	},

	/* What stays around the table while it changes. */
	frame() {
		const search = E('input', {
			'type': 'search', 'id': 'mqttguard-search', 'class': 'cbi-input-text', 'value': this.filter.needle,
			'input': () => {
				this.filter.needle = search.value.trim().toLowerCase();
				this.table();
			}
		});
		const states = E('select', {
			'id': 'mqttguard-state', 'class': 'cbi-input-select',
			'change': () => {
				this.filter.state = states.value;
				this.table();
			}
		}, [ E('option', { 'value': '' }, [ _('All') ]) ].concat(words.STATES.map((state) =>
			E('option', { 'value': state, 'selected': state == this.filter.state ? '' : null },
				[ words.state(state) ]))));
		this.count = E('p', { 'role': 'status' });
		return [
			E('h2', { 'name': 'content', 'tabindex': -1 }, [ _('Devices') ]),
			E('div', { 'class': 'mqttguard-filter' }, [
				E('label', { 'for': 'mqttguard-search' }, [ _('Search'), search ]),
				E('label', { 'for': 'mqttguard-state' }, [ _('State'), states ]),
				this.count
			]),
			this.part
		];
	},

	table() {
		const { needle, state } = this.filter, { column, down } = this.order;
		const by = COLUMNS.find((one) => one.name == column).by;
		const devices = this.devices
			.filter((device) => (!state || device.state == state) && (!needle || matches(device, needle)))
			.sort((a, b) => {
				const [ x, y ] = [ by(a), by(b) ];
				const order = x < y ? -1 : x > y ? 1 : a.mac < b.mac ? -1 : 1;
				return down ? -order : order;
			});
		const text = devices.length == this.devices.length
			? N_(devices.length, '%d device', '%d devices').format(devices.length)
			: _('%d of %d devices').format(devices.length, this.devices.length);
		if (this.count.textContent != text)
			this.count.textContent = text;
		parts.renew(this.part, [ devices, this.order, Math.floor(Date.now() / 60000) ],
			() => this.rows(devices));
	},

	rows(devices) {
		const { column, down } = this.order;
		const table = parts.table(COLUMNS.map((one) => one.title()),
			devices.map((device) => COLUMNS.map((one) => one.cell(device))),
			this.devices.length ? _('No device is like that.') : _('No device has been seen yet.'));
		table.querySelectorAll('th').forEach((heading, at) => {
			const one = COLUMNS[at], sorted = one.name == column;
			heading.setAttribute('aria-sort', sorted ? (down ? 'descending' : 'ascending') : 'none');
			dom.content(heading, [ E('button', {
				'type': 'button', 'data-key': 'sort ' + one.name,
				'click': () => {
					this.order = { column: one.name, down: sorted && !down };
					this.table();
				}
			}, [ one.title(), E('span', { 'aria-hidden': 'true' }, [ sorted ? (down ? ' ▾' : ' ▴') : '' ]) ]) ]);
		});
		return table;
	},

	/* The page of one device. */
	page(device) {
		const name = device.name || device.mac;
		const section = (title, children) =>
			E('section', { 'class': 'cbi-section' }, [ E('h3', {}, [ title ]) ].concat(children));
		return [
			E('p', {}, [ E('a', { 'href': '#' }, [ '← ', _('All devices') ]) ]),
			E('h2', { 'name': 'content', 'tabindex': -1 }, [ name ]),
			E('p', { 'role': 'status' }, [
				parts.state(device.state), device.why ? ' ' + device.why : '',
				device.until_ms ? ' ' + _('Until %s.').format(words.time(device.until_ms)) : ''
			]),
			E('p', { 'class': 'mqttguard-buttons' }, this.buttons(device)),
			section(_('Identity'), [ parts.facts([
				[ _('MAC address'), device.mac ],
				[ _('Addresses'), (device.addresses || []).join(', ') ],
				[ _('Name that it gives itself'), device.hostname ],
				[ _('Vendor'), typeof(device.vendor) == 'string' ? device.vendor : null ],
				[ _('Firmware'), typeof(device.firmware) == 'string' ? device.firmware : null ],
				[ _('Interface'), device.interface ],
				[ _('Bound to'), device.bound
					? [ device.bound.interface, device.bound.address ].filter(Boolean).join(', ') : null ],
				[ _('First seen'), words.ago(device.first_seen_ms) ],
				[ _('Last seen'), words.ago(device.last_seen_ms) ]
			]) ]),
			section(_('Broker'), [ parts.facts([
				[ _('User name'), device.username || _('none yet') ],
				[ _('Profile'), device.profile ],
				[ _('Failed logins'), device.logins ? words.number(device.logins.failed) : null ]
			]), this.sessions(device) ]),
			section(_('Refused'), [
				parts.facts([
					[ _('Frames that passed'), device.frames ? words.number(device.frames.passed) : null ],
					[ _('Frames dropped'), words.number(dropped(device)) ]
				]),
				parts.reasons(device.dropped, _('Nothing of it was refused.'))
			]),
			section(_('Exceptions'), [ this.exceptions(device) ]),
			section(_('What happened lately'), [
				parts.events((device.events || []).slice().sort((a, b) => b.seq - a.seq),
					(event) => this.actions(device, event))
			])
		];
	},

	buttons(device) {
		const button = (label, style, handler) => parts.button(label, handler, { style: style, key: label });
		const enrol = button(device.username ? _('New password') : _('Enrol'), 'positive',
			() => actions.enrol(device, this.refresh));
		if (device.state == 'blocked' || device.state == 'quarantined')
			return [ button(device.state == 'blocked' ? _('Unblock') : _('Release'), 'action',
				() => actions.unblock(device, this.refresh)) ];
		return [ enrol, button(_('Block'), 'negative', () => actions.block(device, this.refresh)) ];
	},

	sessions(device) {
		return parts.table([ _('Client'), _('From'), _('Protocol'), _('Since') ],
			(device.connected || []).map((one) =>
				[ one.client_id, one.address, 'MQTT ' + one.protocol, words.ago(one.since_ms) ]),
			_('It is not connected.'));
	},

	exceptions(device) {
		return parts.table([ _('Unencrypted MQTT to'), _('Until'), '' ],
			(device.exceptions || []).map((one) => [
				words.destination(one.destination, one.port),
				one.until_ms ? words.time(one.until_ms) : _('for good'),
				one.section
					? _('section %s of the configuration').format(one.section)
					: one.mud ? _('%s, as its maker says (MUD)').format(one.mud)
					: parts.button(_('Withdraw'), () => actions.disallow(one, this.refresh), {
						style: 'negative', about: words.destination(one.destination, one.port),
						key: 'withdraw ' + one.destination + ' ' + one.port
					})
			]), _('None: all of its MQTT is encrypted or blocked.'));
	},

	/* What fits an event of the device. */
	actions(device, event) {
		if (event.event != 'frame-dropped' || !words.isPlaintext(event.reason) || !event.destination)
			return [];
		return [ parts.button(_('Allow this'),
			() => actions.allow(device, event.destination, event.port, this.refresh), {
				style: 'negative', about: words.destination(event.destination, event.port),
				key: 'allow ' + event.seq
			}) ];
	},

	handleSaveApply: null,
	handleSave: null,
	handleReset: null
});
