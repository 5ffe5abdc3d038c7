'use strict';
'require baseclass';
'require poll';
'require mqttguard.api as api';
'require mqttguard.parts as parts';
'require mqttguard.sentences as sentences';
'require mqttguard.words as words';

/* Whether a device comes to the broker after something was done for it, and what keeps it from that.
 * What has happened before is told apart by the numbers of events: the clocks of the browser and of
 * the router may differ. */

/* Seconds between two looks; after how many of them without a sign of it advice is given. */
const EVERY = 2;
const PATIENCE = 30;

/* What tells that it tried and did not get in, or is in and may not do what it wants. */
const TROUBLES = [
	'login-refused', 'protocol-error', 'frame-dropped', 'frame-would-drop', 'limit-met', 'topic-refused',
	'state-changed'
];

/* What tells that it is in by what it was given now: after a rotation it may come by the old password. */
function arrived(answer) {
	return (event) => answer.old_until_ms ? event.event == 'rotation-ended' && event.used : event.event == 'connected';
}

function last(events, wanted) {
	return events.filter(wanted).sort((a, b) => b.seq - a.seq)[0];
}

/* A state is trouble if it cuts the device off. */
function isTrouble(event) {
	return TROUBLES.includes(event.event) &&
		(event.event != 'state-changed' || event.to == 'quarantined' || event.to == 'blocked');
}

function advice(device, answer) {
	const port = answer.port, server = [ answer.server, answer.address ].filter(Boolean).join(' / ');
	return E('section', {}, [
		E('h4', {}, [ _('Nothing has come from it yet. What may be missing:') ]),
		E('ul', {}, [
			device && device.last_seen_ms
				? _('Is it on? It was last seen %s.').format(words.ago(device.last_seen_ms))
				: _('Is it on, and in this network? The router has not seen it yet.'),
			server ? _('Does it know the server (%s) and the port (%s)?').format(server, port || '–') : null,
			_('Many devices only try again after a restart: take its power away for a moment.'),
			answer.plain ? _('Is TLS switched off in it? On the island there is none.')
				: server ? _('Does it trust the router? It needs the CA certificate, or the fingerprint, unless it is told not to check.') : null
		].filter(Boolean).map((line) => E('li', {}, [ line ])))
	]);
}

return baseclass.extend({
	/* The number of the last event of a device, to tell those that come from now on. */
	mark(mac) {
		return api.device(mac).then(({ events }) => Math.max(0, ...(events || []).map((event) => event.seq)), () => 0);
	},

	/* A part of the page that says how it goes, until `stop()` is called. `answer` says where the device
	 * is to go; `seen(device, events)` is called at each look with what is new. */
	watch(mac, name, since, answer, seen) {
		const node = E('div', { 'role': 'status' });
		const begun = Date.now();
		let stopped = false;
		const look = () => api.device(mac).then((device) => {
			if (stopped)
				return;
			const events = (device.events || []).filter((event) => event.seq > since);
			if (seen)
				seen(device, events);
			this.show(node, device, events, name, answer, begun);
		}, (error) => {
			if (!stopped)
				parts.renew(node, error.message, () => [ parts.failure(error) ]);
		});
		this.show(node, null, [], name, answer, begun);
		poll.add(look, EVERY);
		return {
			node: E('section', { 'class': 'cbi-section' }, [ E('h3', {}, [ _('Is it there?') ]), node ]),
			stop() {
				stopped = true;
				poll.remove(look);
			}
		};
	},

	/* Whether the device has come by what `answer` gives it. */
	has(events, answer) {
		return events.some(arrived(answer));
	},

	show(node, device, events, name, answer, begun) {
		const came = last(events, arrived(answer));
		const trouble = last(events, (event) => isTrouble(event) && (!came || event.seq > came.seq));
		const isOnline = !!device && (device.connected || []).length > 0;
		const isIn = !!came && isOnline, isOld = isOnline && !isIn && !!answer.old_until_ms;
		const late = !events.some(isTrouble) && Date.now() - begun > PATIENCE * 1000;
		parts.renew(node, [ isIn, isOld, trouble && trouble.message, late && !isIn ], () => [
			E('div', { 'class': 'mqttguard-verdict' + (isIn ? ' good' : trouble ? '' : ' waiting') }, [
				E('h4', {}, [ isIn ? _('%s is connected.').format(name) : _('Waiting for %s').format(name) ]),
				isIn ? E('p', {}, [ device.connected.map((one) => one.address).join(', ') ])
					: E('p', {}, [ isOld
						? _('It is connected with its old password, which works until it uses the new one, or until %s.')
							.format(words.time(answer.old_until_ms))
						: _('This page notices by itself when it comes.') ]),
				trouble ? E('p', {}, [
					E('strong', {}, [ isIn ? _('It was refused something:') : _('It tried, and this went wrong:') ]),
					' ', sentences.of(trouble)
				]) : '',
				isIn || trouble ? E('p', {}, [ E('a', {
					'href': L.url('admin/services/mqttguard/devices') + '#' + device.mac
				}, [ _('See all about it') ]) ]) : ''
			]),
			late && !isIn && !isOld ? advice(device, answer) : ''
		]);
	}
});
