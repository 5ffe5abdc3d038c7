'use strict';
'require baseclass';
'require mqttguard.actions as actions';
'require mqttguard.parts as parts';
'require mqttguard.sentences as sentences';
'require mqttguard.words as words';

/* What happened, in plain words, and what the owner can do about it. */

/* What happens all the time in a healthy house. */
const QUIET = [
	'connected', 'disconnected', 'listening', 'source-changed', 'journal', 'uplift', 'enforcement',
	'config-loaded', 'enrolled', 'bound'
];
/* Of one kind of event at most so many are shown among others: a hundred devices that join do not hide
 * the one that is in trouble. */
const OF_A_KIND = 5;
/* Where the browser keeps what the owner wants to stay blocked, and how much of it. */
const KEPT = 'mqttguard.kept';
const KEPT_MOST = 200;
/* For how long the firewall may stand in while the check of frames is started, in milliseconds. */
const START = 60 * 1000;
/* Stands in a sentence for the device, to be replaced by a link to it. */
const DEVICE = '\u0001';

/* What events have in common that ask for the same decision. */
function matter(event) {
	return [ event.event, event.mac, event.reason, event.destination, event.port,
		event.event.startsWith('frame-') ? '' : event.message ].join(' ');
}

function kept() {
	try {
		return JSON.parse(localStorage.getItem(KEPT)) || [];
	}
	catch (error) {
		/* Somebody else's, or a browser that keeps nothing. */
		return [];
	}
}

function keep(key) {
	try {
		localStorage.setItem(KEPT, JSON.stringify(kept().concat(key).slice(-KEPT_MOST)));
	}
	catch (error) {
		/* It is asked again. */
	}
}

/* The sentence, with the device's name as a link to its page. */
function sentence(event, device) {
	const pieces = device ? sentences.of(event, DEVICE).split(DEVICE) : [];
	if (pieces.length != 2)
		return [ sentences.of(event) ];
	return [ pieces[0], E('a', { 'href': parts.place('devices', device.mac), 'data-key': 'device ' + event.seq },
		[ device.name || event.name || device.mac ]), pieces[1] ];
}

/* Whether an event is of the moment after a start in which the firewall stands in, as it should. */
function isStart(event, events) {
	if (event.event != 'fallback' || (event.what != 'reduced' && event.what != 'none'))
		return false;
	return events.some((other) => other.event == 'fallback' && other.what != event.what &&
		(event.what == 'reduced' ? other.what == 'none' && other.seq > event.seq
			: other.what == 'reduced' && other.seq < event.seq) &&
		Math.abs(other.time_ms - event.time_ms) < START);
}

/* The choices that fit an event. Each is given the device as it is now, and tools that make a button
 * or a link about it, and gives what to show. */
const CHOICES = {
	'frame-dropped'(event, device, { button, enrol, refresh }) {
		if (words.isPlaintext(event.reason)) {
			if (kept().includes(matter(event)))
				return [ E('em', {}, [ _('Stays blocked') ]) ];
			return [
				device.state == 'new' ? enrol(_('Enrol it')) : null,
				event.destination ? button(_('Allow this'), 'negative',
					() => actions.allow(device, event.destination, event.port, refresh)) : null,
				button(_('Keep blocked'), 'neutral', () => {
					keep(matter(event));
					return refresh();
				})
			];
		}
		if (/^flood-|-mismatch$/.test(event.reason) && (device.state == 'new' || device.state == 'enrolled'))
			return [ button(_('Put into quarantine'), 'negative', () => actions.quarantine(device, refresh)) ];
		return [];
	},

	'frame-would-drop'(event, device, tools) {
		return words.isPlaintext(event.reason) && device.state == 'new' ? [ tools.enrol(_('Enrol it')) ] : [];
	},

	'state-changed'(event, device, { button, refresh }) {
		if (event.to != device.state)
			return [];
		if (device.state == 'quarantined')
			return [ button(_('Release'), 'action', () => actions.release(device, refresh)) ];
		if (device.state == 'blocked')
			return [ button(_('Unblock'), 'action', () => actions.unblock(device, refresh)) ];
		return [];
	},

	'topic-refused'(event, device, { button, refresh }) {
		return device.username ? [ button(_('Allow this topic'), 'positive',
			() => actions.grant(device, event.access, event.topic, refresh)) ] : [];
	},

	'login-refused'(event, device, { button, enrol, refresh }) {
		return device.username
			? [ button(_('New password'), 'positive', () => actions.rotate(device, refresh)) ]
			: device.state == 'new' ? [ enrol(_('Enrol it')) ] : [];
	},

	'paired'(event, device, { button, refresh }) {
		return device.credential && device.credential.weak
			? [ button(_('New password'), 'positive', () => actions.rotate(device, refresh)) ] : [];
	},

	'rotation-ended'(event, device, { button, refresh }) {
		return event.used || !device.username ? []
			: [ button(_('New password'), 'positive', () => actions.rotate(device, refresh)) ];
	},

	'exception-made'(event, device, { button, refresh }) {
		const one = (device.exceptions || []).find((one) => !one.section &&
			one.destination == event.destination && one.port == event.port);
		return one ? [ button(_('Withdraw'), 'negative', () => actions.disallow(one, refresh)) ] : [];
	},

	'device-seen'(event, device, { enrol }) {
		return device.state == 'new' ? [ enrol(_('Enrol it')) ] : [];
	},

	'pairing-expired'(event, device, { enrol }) {
		return device.username ? [] : [ enrol(_('Try again')) ];
	}
};

/* What the owner can do about an event, as things are now; nothing, if it is not theirs to do. */
function choices(event, device, refresh) {
	if (!parts.may() || !device || !Object.hasOwn(CHOICES, event.event))
		return [];
	const about = device.name || device.mac;
	const options = (style, label) => ({ style: style, about: about, key: label + ' ' + matter(event) });
	return CHOICES[event.event](event, device, {
		refresh: refresh,
		button: (label, style, act) => parts.button(label, act, options(style, label)),
		enrol: (label) => parts.link(label, parts.place('enrol', device.mac), options('positive', label))
	}).filter(Boolean);
}

/* How often a thing happened that is told once; of other events `count` is of something else. */
function often(event) {
	return /^(frame-|uplift)/.test(event.event) && event.count || 1;
}

function times(count) {
	return count > 1 ? ' ' + N_(count, '(%d time)', '(%d times)').format(count) : '';
}

return baseclass.extend({
	/* Of events, so many of the newest that an owner may want to know of; of those that ask for the
	 * same decision, the newest. */
	latest(events, most) {
		const seen = new Map(), kinds = new Map();
		events.filter((event) => (!QUIET.includes(event.event) || event.severity == 'warning') && !isStart(event, events))
			.sort((a, b) => b.seq - a.seq)
			.forEach((event) => {
				const first = seen.get(matter(event));
				const kind = kinds.get(event.event) || 0;
				if (first)
					first.times += often(event);
				else if (kind < OF_A_KIND && kinds.set(event.event, kind + 1))
					seen.set(matter(event), Object.assign({}, event, { times: often(event) }));
			});
		return [ ...seen.values() ].slice(0, most);
	},

	/* Shows events in `node`, a list of its own. `device` finds a device by its MAC address, `linked`
	 * says whether its name is a link. */
	show(node, events, device, { linked = true, refresh }) {
		if (!events.length)
			return parts.keep(node, [ [ 'none', null, () =>
				E('li', {}, [ E('em', {}, [ _('Nothing out of the ordinary has happened.') ]) ]) ] ]);
		parts.keep(node, events.map((event) => {
			const about = device(event.mac);
			const now = about && [ about.name, about.state, about.username, about.exceptions, kept().includes(matter(event)) ];
			const today = new Date().toDateString();
			return [ event.seq, [ event, now, today ], () =>
				E('li', { 'class': event.severity == 'warning' ? 'warning' : '' }, [
					E('time', { 'datetime': new Date(event.time_ms).toISOString() }, [ words.time(event.time_ms) ]),
					E('span', { 'class': 'message' },
						sentence(event, linked ? about : null).concat(times(event.times))),
					E('span', { 'class': 'mqttguard-buttons' }, choices(event, about, refresh))
				]) ];
		}));
	},

	often: often,

	/* An empty list of events. */
	list() {
		return E('ul', { 'class': 'mqttguard-events' });
	}
});
