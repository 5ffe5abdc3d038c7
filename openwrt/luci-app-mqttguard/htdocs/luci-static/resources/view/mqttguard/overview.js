'use strict';
'require view';
'require poll';
'require dom';
'require mqttguard.actions as actions';
'require mqttguard.api as api';
'require mqttguard.parts as parts';
'require mqttguard.words as words';

/* Events asked for, and shown at most. */
const ASKED = 200;
const SHOWN = 15;
/* What happens all the time in a healthy house. */
const QUIET = [
	'connected', 'disconnected', 'listening', 'source-changed', 'journal', 'uplift', 'enforcement',
	'config-loaded', 'enrolled', 'bound'
];
/* Where the browser keeps what the owner wants to stay blocked. */
const KEPT = 'mqttguard.kept';

function load() {
	return Promise.all([ api.status(), api.devices(), api.events(ASKED) ])
		.then(([ status, { devices }, { events } ]) => ({
			status: status, devices: devices || [], events: events || []
		}), (error) => ({ error: error }));
}

/* What events have in common that ask for the same decision. */
function matter(event) {
	return [ event.event, event.mac, event.reason, event.destination, event.port,
		event.event.startsWith('frame-') ? '' : event.message ].join(' ');
}

/* The last events, the newest first; of those that ask for the same decision, the newest. */
function latest(events) {
	const seen = new Map();
	events.filter((event) => !QUIET.includes(event.event) || event.severity == 'warning')
		.sort((a, b) => b.seq - a.seq)
		.forEach((event) => {
			const first = seen.get(matter(event));
			if (first)
				first.times += event.count || 1;
			else
				seen.set(matter(event), Object.assign({}, event, { times: event.count || 1 }));
		});
	return [ ...seen.values() ].slice(0, SHOWN);
}

function kept() {
	try {
		return JSON.parse(localStorage.getItem(KEPT)) || [];
	}
	catch (error) {
		return [];
	}
}

function verdict(status) {
	const why = status.why || [];
	const monitoring = status.mode == 'monitor';
	const title = status.protected
		? _('Protected')
		: monitoring ? _('Only watching') : status.protection == 'reduced' ? _('Partly protected') : _('Not protected');
	return E('section', {
		'class': 'mqttguard-verdict' + (status.protected ? ' good' : ''), 'role': 'status'
	}, [
		E('h3', {}, [ title ]),
		E('p', {}, [ status.protected
			? _('Unencrypted MQTT does not leave the house, and no device can flood the router.')
			: _('Unencrypted MQTT may leave the house. What is wrong:') ]),
		why.length ? E('ul', {}, why.map((line) => E('li', {}, [ line ]))) : ''
	]);
}

function counters(status) {
	const broker = status.broker || {};
	return {
		plaintext: words.plaintext(status.dropped),
		floods: words.floods(status.dropped),
		messages: (broker.messages_in || 0) + (broker.messages_out || 0),
		sessions: broker.sessions || 0
	};
}

const HOOKS = {
	'xdp': () => _('in the driver (XDP)'),
	'xdp-generic': () => _('before the network stack (generic XDP)'),
	'tc': () => _('at the entry of the network stack (TC)'),
	'tcx': () => _('at the entry of the network stack (TCX)')
};

const PROOFS = {
	'seen': () => _('Works: frames were seen'),
	'waiting': () => _('Waits for the first frame'),
	'blind': () => _('Sees nothing')
};

function told(table, key) {
	return Object.hasOwn(table, key) ? table[key]() : String(key);
}

function kernel(status) {
	const kernel = status.kernel || {}, rows = (kernel.attachments || []).map((one) => [
		one.interface, told(HOOKS, one.hook),
		told(PROOFS, one.proof) + (one.why ? ` (${one.why})` : '')
	]);
	return parts.table([ _('Interface'), _('Where frames are checked'), _('State') ], rows,
		kernel.error || _('No frame is checked.'));
}

return view.extend({
	load: load,

	render(data) {
		const live = (name, label) => E('div', { 'id': 'mqttguard-' + name, 'aria-label': label || null });
		this.nodes = {
			verdict: E('div', { 'aria-live': 'polite' }), tiles: live('tiles'), events: live('events'),
			kernel: live('kernel'), states: live('states')
		};
		const refresh = () => load().then((data) => this.show(data));
		this.refresh = refresh;
		this.show(data);
		poll.add(refresh, 5);
		return parts.page([
			E('h2', { 'name': 'content' }, [ _('MQTT Guard') ]),
			this.nodes.verdict,
			this.nodes.tiles,
			E('section', { 'class': 'cbi-section' }, [
				E('h3', {}, [ _('What happened lately') ]), this.nodes.events
			]),
			E('section', { 'class': 'cbi-section' }, [
				E('h3', {}, [ _('Devices') ]), this.nodes.states
			]),
			E('section', { 'class': 'cbi-section' }, [
				E('h3', {}, [ _('Interfaces') ]), this.nodes.kernel
			])
		]);
	},

	show(data) {
		const nodes = this.nodes;
		if (data.error) {
			parts.renew(nodes.verdict, data.error.message, () =>
				E('section', { 'class': 'mqttguard-verdict' }, [
					E('h3', {}, [ data.error.stopped ? _('Not protected') : _('Not known') ]),
					E('p', {}, [ data.error.message ])
				]));
			return;
		}
		const status = data.status;
		parts.renew(nodes.verdict, [ status.protected, status.protection, status.mode, status.why ],
			() => verdict(status));
		const now = counters(status), history = parts.remember(now);
		parts.renew(nodes.tiles, [ now, history ], () => parts.tiles([
			[ 'plaintext', _('Unencrypted MQTT blocked (frames)'), now.plaintext ],
			[ 'floods', _('Flood frames dropped'), now.floods ],
			[ 'messages', _('Messages through the broker'), now.messages ],
			[ 'sessions', _('Sessions'), now.sessions ]
		], history));
		const devices = new Map(data.devices.map((device) => [ device.mac, device ]));
		const events = latest(data.events);
		parts.renew(nodes.events, [ events, kept(), data.devices.map((one) => one.state) ], () =>
			parts.events(events, (event) => this.actions(event, devices.get(event.mac))));
		parts.renew(nodes.states, status.devices, () => this.states(status.devices || {}));
		parts.renew(nodes.kernel, status.kernel, () => kernel(status));
	},

	states(counts) {
		const link = (state) => E('a', { 'href': L.url('admin/services/mqttguard/devices') + '#?state=' + state },
			[ parts.state(state), ' ', words.number(counts[state]) ]);
		return E('p', { 'class': 'mqttguard-buttons' },
			words.STATES.filter((state) => counts[state]).map(link));
	},

	/* What fits an event, as things are now. */
	actions(event, device) {
		if (!device)
			return [];
		const key = matter(event), about = device.name || device.mac;
		const button = (label, style, handler) => parts.button(label, handler,
			{ style: style, about: about, key: label + key });
		if (event.event == 'frame-dropped' && words.isPlaintext(event.reason)) {
			if (kept().includes(key))
				return [ E('em', {}, [ _('Stays blocked') ]) ];
			const buttons = [];
			if (device.state == 'new')
				buttons.push(button(_('Enrol'), 'positive', () => actions.enrol(device, this.refresh)));
			if (event.destination)
				buttons.push(button(_('Allow this'), 'negative', () =>
					actions.allow(device, event.destination, event.port, this.refresh)));
			buttons.push(button(_('Keep blocked'), 'neutral', () => {
				localStorage.setItem(KEPT, JSON.stringify(kept().concat(key).slice(-200)));
				return this.refresh();
			}));
			return buttons;
		}
		if (event.event == 'state-changed' && event.to == device.state &&
		    (device.state == 'quarantined' || device.state == 'blocked'))
			return [ button(_('Release'), 'action', () => actions.unblock(device, this.refresh)) ];
		if (event.event == 'device-seen' && device.state == 'new')
			return [ button(_('Enrol'), 'positive', () => actions.enrol(device, this.refresh)) ];
		return [];
	},

	handleSaveApply: null,
	handleSave: null,
	handleReset: null
});
