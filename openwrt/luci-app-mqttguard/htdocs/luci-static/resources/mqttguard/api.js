'use strict';
'require baseclass';
'require rpc';
'require mqttguard.faults as faults';

/* The methods of the ubus object `mqttguard`. Each gives a promise, which is rejected with why the
 * daemon refuses: that comes as `{ "error": "…", "code": "…" }` beside the ubus status. */

/* Of the numbers that ubus answers with, what a person can do something about. */
const STATUS_METHOD_NOT_FOUND = 3;
const STATUS_NOT_FOUND = 4;
const STATUS_NO_DATA = 5;
const STATUS_TIMEOUT = 7;
const OBJECT = 'mqttguard';

/* LuCI gives the daemon's words without the status that came with them. */
rpc.addInterceptor((reply, request) => {
	const [ status, answer ] = request.object == OBJECT && Array.isArray(reply.result) ? reply.result : [];
	if (status && L.isObject(answer))
		answer.status = status;
});

function failure(message, stopped) {
	const error = new Error(message);
	error.stopped = !!stopped;
	return error;
}

function stopped() {
	return failure(_('mqttguard is not running. Start it under System, Startup.'), true);
}

function unwrap(answer) {
	if (answer === STATUS_NOT_FOUND || answer === STATUS_NO_DATA)
		throw stopped();
	if (answer === STATUS_METHOD_NOT_FOUND)
		throw failure(_('The mqttguard that is running is older than these pages. Restart it under System, Startup, or install its newest package.'));
	if (answer === STATUS_TIMEOUT)
		throw failure(_('mqttguard did not answer in time. See whether it was done before you try again.'));
	if (!L.isObject(answer))
		throw failure(_('mqttguard did not answer (ubus status %s).').format(answer));
	if (typeof(answer.error) == 'string')
		throw Object.assign(failure(faults.of(answer)), { status: answer.status, code: answer.code });
	if (answer.warning)
		answer.warning = faults.unsaved(answer);
	return answer;
}

function unreachable(error) {
	/* uhttpd answers so where the object is not on the bus. */
	if (/-32000|object not found/i.test(error.message))
		throw stopped();
	if (/-32002|access denied/i.test(error.message))
		throw failure(_('You may look, but not change anything here.'));
	throw error;
}

function method(name, params) {
	const call = rpc.declare({ object: OBJECT, method: name, params: params });
	return (...args) => call(...args).catch(unreachable).then(unwrap);
}

const cancel = method('pair', [ 'device', 'cancel' ]);

return baseclass.extend({
	/* Protected or not, why, and how each part is. */
	status: method('status'),
	/* `{ devices: [...] }` */
	devices: method('devices'),
	/* One device with its last events; by MAC address. */
	device: method('device', [ 'device' ]),
	/* `{ events: [...] }`, the oldest first. */
	events: method('events', [ 'limit', 'since' ]),
	/* `{ step_s, until_ms, series: { … } }` of the last hour, of the house or of one device. */
	history: method('history', [ 'device' ]),
	/* `{ topics: [...], more, until_ms }`: what is published while somebody looks. */
	live: method('live', [ 'filter', 'device', 'limit' ]),
	/* `{ made_ms, version, notes, standards, items }`: the house against security baselines. */
	report: method('report'),
	/* `{ profiles: [...] }` of the configuration in force. */
	profiles: method('profiles'),
	/* Gives a credential: the only time that the password is told. */
	enrol: method('enrol', [ 'device', 'profile', 'username' ]),
	/* Sets the broker and a new login on a device, over its web interface; takes up to 19 s. */
	push: method('push', [ 'device', 'firmware', 'user', 'password', 'profile', 'dry_run' ]),
	/* A new password, told once; the old one works until the new one is used, or for `overlap` s. */
	rotate: method('rotate', [ 'device', 'overlap' ]),
	revoke: method('revoke', [ 'device' ]),
	/* A client certificate and its key, told once. */
	certificate: method('certificate', [ 'device', 'profile' ]),
	quarantine: method('quarantine', [ 'device', 'for', 'why' ]),
	release: method('release', [ 'device' ]),
	block: method('block', [ 'device', 'why' ]),
	unblock: method('unblock', [ 'device' ]),
	/* Lets a device's unencrypted MQTT out, for a number of seconds. */
	allow: method('allow', [ 'device', 'destination', 'port', 'for' ]),
	disallow: method('disallow', [ 'device', 'destination', 'port' ]),
	/* Puts the configuration file into force, or says what is wrong with it. */
	reload: method('reload'),
	/* What is wrong with the configuration file: `{ ok, errors }`. */
	check: method('check'),
	/* The router's certificates, and the broker's made anew. */
	ca: method('ca'),
	renew: method('renew'),
	/* What to set on an enrolled device, without its password. */
	snippet: method('snippet', [ 'device', 'firmware' ]),
	/* Takes what the device presents within a number of seconds for its credential. */
	pair: method('pair', [ 'device', 'profile', 'for' ]),
	cancelPairing: (device) => cancel(device, true),
	/* What the maker says that the device needs (RFC 8520): fetches and shows it; with `accept`, puts
	 * what was shown last (by its `sha256`) in force; with `forget`, takes that back. */
	mud: method('mud', [ 'device', 'url', 'accept', 'unverified', 'sha256', 'forget' ])
});
