'use strict';
'require view';
'require dom';
'require mqttguard.api as api';
'require mqttguard.codes as codes';
'require mqttguard.events as events';
'require mqttguard.graph as graph';
'require mqttguard.parts as parts';
'require mqttguard.troubles as troubles';
'require mqttguard.words as words';

/* Events asked for, and shown at most. */
const ASKED = 200;
const SHOWN = 15;

function load() {
	return Promise.all([ api.status(), api.devices(), api.events(ASKED), api.history() ])
		.then(([ status, { devices }, { events }, history ]) => ({
			status: status, devices: devices || [], events: events || [], history: history
		}), (error) => ({ error: error }));
}

/* What is wrong, each with what to do. */
function list(troubles, refresh) {
	return E('ul', { 'class': 'mqttguard-troubles' }, troubles.map((one) => E('li', {}, [
		E('strong', {}, [ one.says ]),
		one.more ? E('ul', {}, one.more.map((line) => E('li', {}, [ line ]))) : '',
		one.advice ? E('p', {}, [ one.advice ]) : '',
		one.act && parts.may() ? E('p', {}, [ one.act(refresh) ]) : ''
	])));
}

/* The verdict: how it is called, how it looks, and what it means. */
function verdict(status) {
	if (status.protected)
		return [ _('Protected'), 'good',
			_('Unencrypted MQTT does not leave the house, and no device can flood the router.') ];
	if (status.mode == 'monitor')
		return [ _('Only watching'), 'partly', _('Unencrypted MQTT may leave the house. What is wrong:') ];
	if (status.protection == 'reduced')
		return [ _('Partly protected'), 'partly',
			_('The firewall stands in for the check of every frame: it blocks the ports of unencrypted MQTT, and no more. What is wrong:') ];
	return [ _('Not protected'), 'bad', _('Unencrypted MQTT may leave the house. What is wrong:') ];
}

function banner([ title, look, means ], found, refresh) {
	return E('section', { 'class': 'mqttguard-verdict ' + look, 'role': 'status' }, [
		E('h3', {}, [ title ]),
		E('p', {}, [ means ]),
		found.length ? list(found, refresh) : ''
	]);
}

const PROOFS = {
	'seen': () => _('Works: frames were seen'),
	'waiting': () => _('Waits for the first frame'),
	'blind': () => _('Sees nothing')
};

function told(table, key) {
	return Object.hasOwn(table, key) ? table[key]() : String(key);
}

function kernel(status) {
	const kernel = status.kernel || {}, rows = (kernel.attachments || []).map((one) => {
		const why = codes.attached(one);
		return [
			one.interface, one.hook == null ? _('nowhere') : codes.hook(one.hook),
			told(PROOFS, one.proof) + (why ? ` (${why})` : '')
		];
	});
	return parts.table([ _('Interface'), _('Where frames are checked'), _('State') ], rows,
		_('No frame is checked.'));
}

/* How many devices are in each state, as links to them. */
function states(counts) {
	const shown = words.STATES.filter((state) => counts[state]);
	if (!shown.length)
		return E('p', {}, [ E('em', {}, [ _('No device has been seen yet.') ]) ]);
	return E('p', { 'class': 'mqttguard-buttons' }, shown.map((state) =>
		E('a', { 'href': parts.place('devices', '?state=' + state), 'data-key': 'state ' + state },
			[ parts.state(state), ' ', words.number(counts[state]) ])));
}

/* The graphs; what is only watched is not called blocked. */
function graphs(mode) {
	const watching = mode == 'monitor';
	return graph.row({
		plaintext: [ watching ? _('Unencrypted MQTT let through') : _('Unencrypted MQTT blocked'), { tone: 'bad' } ],
		floods: [ watching ? _('Flood frames let through') : _('Flood frames dropped'), { tone: 'bad' } ],
		messages: [ _('Messages to the broker') ],
		sessions: [ _('Devices connected'), { tone: 'good', gauge: true } ]
	});
}

return view.extend({
	load: load,

	render(data) {
		this.nodes = {
			verdict: E('div', { 'aria-live': 'polite' }), events: events.list(), kernel: E('div'), states: E('div'),
			graphs: E('div'), rest: E('div')
		};
		this.refresh = () => load().then((data) => this.show(data));
		dom.content(this.nodes.rest, [
			parts.section(_('The last hour'), [ this.nodes.graphs ]),
			parts.section(_('What happened lately'), [ this.nodes.events ]),
			parts.section(_('Devices'), [ this.nodes.states ]),
			parts.section(_('Interfaces'), [ this.nodes.kernel ])
		]);
		this.show(data);
		parts.follow(this.refresh, 5);
		return parts.page([
			E('h2', { 'name': 'content', 'tabindex': -1 }, [ _('MQTT Guard') ]),
			parts.guest(),
			this.nodes.verdict,
			this.nodes.rest
		]);
	},

	show({ error, status, devices, events: happened, history }) {
		const { nodes, refresh } = this;
		/* What was true before the daemon went silent is not shown as if it were now. */
		nodes.rest.hidden = !!error;
		if (error) {
			const title = error.stopped ? _('Not protected') : _('Not known');
			const means = error.stopped ? _('Nothing guards the house. What is wrong:') : _('The router does not tell. What is wrong:');
			return parts.renew(nodes.verdict, [ title, error.message ], () =>
				banner([ title, 'bad', means ], [ troubles.silence(error) ], refresh));
		}
		const found = troubles.of(status);
		parts.renew(nodes.verdict, [ verdict(status), found ], () => banner(verdict(status), found, refresh));
		parts.renew(nodes.graphs, status.mode, () => {
			this.graphs = graphs(status.mode);
			return [ this.graphs.node ];
		});
		this.graphs.show(history);
		const known = new Map(devices.map((device) => [ device.mac, device ]));
		events.show(nodes.events, events.latest(happened, SHOWN), (mac) => known.get(mac), { refresh: refresh });
		parts.renew(nodes.states, status.devices, () => states(status.devices || {}));
		parts.renew(nodes.kernel, status.kernel, () => kernel(status));
	},

	handleSaveApply: null,
	handleSave: null,
	handleReset: null
});
