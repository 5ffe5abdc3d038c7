'use strict';
'require baseclass';
'require mqttguard.actions as actions';
'require mqttguard.api as api';
'require mqttguard.codes as codes';
'require mqttguard.events as events';
'require mqttguard.firmware as firmware';
'require mqttguard.graph as graph';
'require mqttguard.maker as maker';
'require mqttguard.parts as parts';
'require mqttguard.profiles as profiles';
'require mqttguard.topics as topics';
'require mqttguard.words as words';

/* The page of one device. */

/* Topics of it that are shown, of those that it publishes. */
const TOPICS = 30;
/* Events of it that are shown, of those that are not normal. */
const EVENTS = 15;

function bytes(value) {
	return _('%s bytes').format(words.number(value));
}

/* Topics of it; why there are none is an answer too, for the configuration can forbid to look. */
function live(mac) {
	return api.live(undefined, mac, TOPICS).catch((error) => ({ error: error }));
}

/* What a device's page is made of; what is private only for those who may see it. */
function load(mac) {
	return Promise.all([
		api.device(mac), api.history(mac), parts.may() ? live(mac) : null
	]).then(([ device, history, live ]) => ({ device: device, history: history, live: live }));
}

/* How often it was refused, and why. */
function logins({ failed, refused }) {
	const why = (refused || []).map((one) => `${codes.login(one)} (${words.number(one.count)})`).join('; ');
	return !failed && !why ? null : words.number(failed) + (why ? ': ' + why : '');
}

function identity(device) {
	const credential = device.credential || {};
	return parts.facts([
		[ _('MAC address'), device.mac ],
		[ _('Addresses'), (device.addresses || []).join(', ') ],
		[ _('Name that it gives itself'), device.hostname ],
		[ _('Vendor'), device.vendor ],
		[ _('What it says it is'), device.vendor_class ],
		[ _('Firmware'), device.firmware ? firmware.title(device.firmware) : null ],
		[ _('Interface'), device.interface ],
		[ _('Bound to'), device.bound
			? [ device.bound.interface, device.bound.address ].filter(Boolean).join(', ') : null ],
		[ _('First seen'), words.ago(device.first_seen_ms) ],
		[ _('Last seen'), words.ago(device.last_seen_ms) ],
		[ _('User name'), device.username || _('none yet') ],
		[ _('Password made'), credential.issued_ms ? words.time(credential.issued_ms) : null ],
		[ _('Old password works until'), credential.old_until_ms ? words.time(credential.old_until_ms) : null ],
		[ _('Weak'), credential.weak ? _('Its password is short: give it a new one.') : null ],
		[ _('Certificates'), (credential.certificates || [])
			.map((one) => _('%s, good until %s').format(one.serial, words.time(one.until_ms))).join('; ') ],
		[ _('Failed logins'), logins(device.logins || {}) ]
	]);
}

const Page = baseclass.extend({
	__init__(mac, refresh) {
		Object.assign(this, { mac: mac, refresh: refresh, quiet: false });
		const part = () => E('div');
		this.parts = {
			head: part(), identity: part(), grants: part(), refused: part(), frames: part(),
			sessions: part(), exceptions: part(), trouble: part(), events: events.list()
		};
		this.graphs = graph.row({
			messages: [ _('Messages it published') ],
			bytes: [ _('Data it sent'), { write: bytes } ],
			frames: [ _('Frames it sent') ],
			dropped: [ _('Frames dropped'), { tone: 'bad' } ]
		});
		this.profile = new profiles.Choice(refresh);
		this.maker = new maker.Maker(refresh);
		this.topics = new topics.Tree(_('Topics of this device'));
		const { head, identity, grants, refused, frames, sessions, exceptions } = this.parts;
		this.node = [
			E('p', {}, [ E('a', { 'href': '#' }, [ '← ', _('All devices') ]) ]),
			head,
			parts.section(_('The last hour'), [ this.graphs.node ]),
			parts.section(_('What happened lately'), [ this.filter(), this.parts.events ]),
			parts.section(_('Identity'), [ identity ]),
			parts.section(_('Connections to the broker'), [ sessions ]),
			parts.may() ? parts.section(_('Live topics'), [ this.parts.trouble, this.topics.node ]) : '',
			parts.section(_('Refused topics'), [ refused ]),
			parts.section(_('Granted to it alone'), [ grants ]),
			parts.section(_('Profile and limits'), [ this.profile.node ]),
			parts.section(_('Frames dropped, by reason'), [ frames ]),
			parts.section(_('Exceptions'), [ exceptions ]),
			parts.section(_('What its maker says'), [ this.maker.node ])
		];
	},

	/* What happens all the time is shown on request. */
	filter() {
		const box = E('input', { 'type': 'checkbox', 'id': 'mqttguard-quiet', 'change': () => {
			this.quiet = box.checked;
			this.happened(this.device);
		} });
		return E('p', {}, [ E('label', { 'for': 'mqttguard-quiet' }, [ box, ' ', _('Also what is normal, such as connecting') ]) ]);
	},

	happened(device) {
		const all = device.events || [];
		const shown = this.quiet
			? all.slice().sort((a, b) => b.seq - a.seq).map((event) => Object.assign({}, event, { times: events.often(event) }))
			: events.latest(all, EVENTS);
		events.show(this.parts.events, shown, (mac) => mac === device.mac ? device : null,
			{ linked: false, refresh: this.refresh });
	},

	show({ device, history, live }) {
		this.device = device;
		const { parts: nodes } = this, minute = Math.floor(Date.now() / 60000);
		const renew = (name, data, make) => parts.renew(nodes[name], data, make);
		renew('head', [ device.name, device.state, device.because, device.why, device.until_ms, device.username,
			device.credential, device.pairing && device.pairing.until_ms ], () => this.head(device));
		this.graphs.show(history);
		renew('identity', [ Object.assign({}, device, { events: null, frames: null, dropped: null }), minute ],
			() => [ identity(device) ]);
		renew('sessions', [ device.connected, minute ], () => [ this.sessions(device) ]);
		if (live) {
			renew('trouble', live.error ? live.error.message : null, () =>
				live.error ? [ E('p', {}, [ E('em', {}, [ live.error.message ]) ]) ] : []);
			this.topics.node.hidden = !!live.error;
			this.topics.show(live.topics || [], live.until_ms);
		}
		renew('refused', [ device.refused, minute ], () => [ this.refused(device) ]);
		renew('grants', [ device.grants, device.mud_grants ], () => [ this.grants(device) ]);
		this.profile.show(device);
		renew('frames', device.dropped, () =>
			[ parts.reasons(device.dropped, _('Nothing of it was dropped.')) ]);
		renew('exceptions', device.exceptions, () => [ this.exceptions(device) ]);
		this.maker.show(device);
		this.happened(device);
	},

	head(device) {
		const why = codes.because(device);
		return [
			E('h2', { 'name': 'content', 'tabindex': -1 }, [ device.name || device.mac ]),
			parts.guest(),
			E('p', { 'role': 'status' }, [
				parts.state(device.state), why ? ` (${why})` : '',
				device.until_ms ? ' ' + _('Until %s.').format(words.time(device.until_ms)) : '',
				device.pairing ? ' ' + _('It can be paired until %s.').format(words.time(device.pairing.until_ms)) : ''
			]),
			E('p', { 'class': 'mqttguard-buttons' }, parts.may() ? this.buttons(device) : [])
		];
	},

	/* What fits the device's state. */
	buttons(device) {
		const button = (label, style, act) =>
			parts.button(label, () => act.call(actions, device, this.refresh), { style: style, key: label });
		const block = button(_('Block'), 'negative', actions.block);
		if (device.state == 'blocked')
			return [ button(_('Unblock'), 'action', actions.unblock) ];
		if (device.state == 'quarantined')
			return [ button(_('Release'), 'action', actions.release), block ];
		const quarantine = button(_('Quarantine'), 'negative', actions.quarantine);
		return (device.username ? [
			button(_('New password'), 'positive', actions.rotate),
			button(_('Certificate'), 'action', actions.certificate),
			parts.link(_('Set it up'), parts.place('enrol', device.mac), { key: 'enrol' }),
			button(_('Revoke'), 'negative', actions.revoke)
		] : [
			parts.link(_('Enrol'), parts.place('enrol', device.mac), { style: 'positive', key: 'enrol' })
		]).concat([ quarantine, block ]);
	},

	sessions(device) {
		return parts.table([ _('Client'), _('From'), _('Protocol'), _('Since') ],
			(device.connected || []).map((one) =>
				[ one.client_id, one.address, 'MQTT ' + one.protocol, words.ago(one.since_ms) ]),
			_('It is not connected.'));
	},

	refused(device) {
		const rows = (device.refused || []).slice().sort((a, b) => b.last_ms - a.last_ms).map((one) => {
			const row = [ E('code', {}, [ one.topic ]), words.access(one.access), words.number(one.count), words.ago(one.last_ms) ];
			return !parts.may() ? row : row.concat(parts.button(_('Allow this topic'),
				() => actions.grant(device, one.access, one.topic, this.refresh),
				{ style: 'positive', about: one.topic, key: `grant ${one.access} ${one.topic}` }));
		});
		return parts.table([ _('Topic'), _('It wanted to'), _('Times'), _('Last') ].concat(parts.may() ? '' : []),
			rows, _('No topic was refused.'));
	},

	grants(device) {
		const held = device.grants || {};
		const rows = [ 'publish', 'subscribe' ].flatMap((access) => (held[access] || []).map((pattern) => {
			const row = [ E('code', {}, [ pattern ]), words.access(access) ];
			return !parts.may() ? row : row.concat(parts.button(_('Withdraw'),
				() => actions.withdraw(device, access, pattern, this.refresh),
				{ style: 'negative', about: pattern, key: `withdraw ${access} ${pattern}` }));
		}));
		/* Those are taken back with what its maker says, as a whole. */
		const said = (device.mud_grants || []).map((one) => [
			E('code', {}, [ one.filter || one.pattern ]), words.access(one.access)
		].concat(parts.may() ? _('as its maker says (MUD)') : []));
		return parts.table([ _('Topics'), _('It may') ].concat(parts.may() ? '' : []), rows.concat(said),
			_('Nothing: it has what its profile grants.'));
	},

	exceptions(device) {
		const rows = (device.exceptions || []).map((one) => [
			words.destination(one.destination, one.port),
			one.until_ms ? words.time(one.until_ms) : _('for good'),
			one.section
				? _('section %s of the configuration').format(one.section)
				: one.mud ? _('%s, as its maker says (MUD)').format(one.mud)
				: parts.may() ? parts.button(_('Withdraw'), () => actions.disallow(one, this.refresh), {
					style: 'negative', about: words.destination(one.destination, one.port),
					key: 'withdraw ' + one.destination + ' ' + one.port
				}) : ''
		]);
		return parts.table([ _('Unencrypted MQTT to'), _('Until'), '' ], rows,
			_('None: all of its MQTT is encrypted or blocked.'));
	}
});

return baseclass.extend({
	/* What Page shows, of the device with this MAC address. */
	load: load,
	Page: Page
});
