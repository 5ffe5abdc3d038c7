'use strict';
'require baseclass';
'require uci';
'require mqttguard.api as api';
'require mqttguard.config as config';
'require mqttguard.kinds as kinds';
'require mqttguard.parts as parts';

/* The island: a listener without TLS, for the LAN alone, and the devices that may use it. */

const PORT = '1883';
/* What the section of the listener is called where it is made here. */
const NAME = 'island';
/* How often the broker is asked whether it is open, and milliseconds between. */
const TRIES = 6;
const PAUSE = 500;

function isOn(section) {
	return section.enabled == null || kinds.isYes(section.enabled);
}

/* The listener; one that is off if no other is there. */
function listener() {
	const plain = uci.sections(config.NAME, 'listener').filter((one) => one.kind == 'plain');
	return plain.find(isOn) || plain[0] || null;
}

/* A name that no section has. */
function free() {
	let name = NAME;
	for (let at = 2; uci.get(config.NAME, name); at += 1)
		name = NAME + at;
	return name;
}

/* Switches the listener on, or makes one. Gives what takes that back; null if it is on. */
function open() {
	const found = listener();
	if (found && isOn(found))
		return null;
	const name = found ? found['.name'] : free();
	if (found) {
		uci.set(config.NAME, name, 'enabled', '1');
		return () => uci.set(config.NAME, name, 'enabled', '0');
	}
	uci.add(config.NAME, 'listener', name);
	uci.set(config.NAME, name, 'kind', 'plain');
	uci.set(config.NAME, name, 'port', PORT);
	return () => uci.remove(config.NAME, name);
}

/* Lets a device in. Gives what takes that back; null if it may already. */
function admit(mac) {
	const found = config.device(mac);
	return found && found.plaintext != null && kinds.isYes(found.plaintext) ? null : config.put(mac, 'plaintext', '1');
}

/* Whether the listener is open in truth: another program may have its port. The broker is asked a few
 * times, for it opens the port after it has read the configuration. */
function check(port, again = TRIES) {
	return api.status().then(({ broker }) => {
		const one = ((broker && broker.listeners) || []).find(({ kind }) => kind == 'plain');
		if ((!one || !one.up) && again)
			return new Promise((wake) => setTimeout(wake, PAUSE)).then(() => check(port, again - 1));
		if (!one || !one.up)
			throw new Error(_('The island is in the configuration, but its port %s is not open: %s')
				.format(port, one && one.detail || (broker && broker.error) || _('the broker does not serve it')));
	});
}

return baseclass.extend({
	/* What the island is, and what would be changed; `found` is what `look` gives. */
	explain(found) {
		return [
			E('p', {}, [ _('On the island nothing is encrypted: whoever listens in your LAN can read the password and all that the device says, and could change it. The router does not let it leave the house, and only devices that you name may use it. Prefer TLS wherever a device can do it.') ]),
			found.open && found.admitted
				? E('p', {}, [ _('The island is open at port %s, and this device may use it already.').format(found.port) ])
				: E('div', {}, [
					E('p', {}, [ _('This is changed in the configuration, which is saved and applied:') ]),
					E('ul', {}, [
						found.open ? null : _('a listener without TLS is opened at port %s').format(found.port),
						found.admitted ? null : _('this device may use it (option plaintext)')
					].filter(Boolean).map((one) => E('li', {}, [ one ])))
				])
		];
	},

	/* That the device may use the island now, and the way back; `done` is called when it was taken. */
	landed(device, port, done) {
		const said = E('p', { 'role': 'status' }, [ _('%s may use the island, at port %s.').format(device.name || device.mac, port) ]);
		const back = parts.button(_('Take this back'), () => this.expel(device.mac).then(() => {
			said.textContent = _('It may not use the island any more. The listener stays open for others: it is closed in the settings.');
			back.remove();
			done();
		}, (error) => {
			said.textContent = error.message;
		}), { style: 'negative' });
		return E('section', { 'class': 'cbi-section' }, [ said, E('p', {}, [ back ]) ]);
	},

	/* What there is: `port`, whether it is `open`, and whether the device is `admitted`. */
	look(mac) {
		return config.read().then(() => {
			const found = listener(), section = mac && config.device(mac);
			return {
				port: found && found.port || PORT, open: !!found && isOn(found),
				admitted: !!section && section.plaintext != null && kinds.isYes(section.plaintext)
			};
		});
	},

	/* Opens the island, if it is not open, to the device. Gives its port. */
	admit(mac) {
		return config.change(() => {
			const undo = [ open(), admit(mac) ].filter(Boolean);
			return undo.length ? () => undo.forEach((one) => one()) : null;
		}).then(() => config.read()).then(() => {
			const port = listener().port || PORT;
			return check(port).then(() => port);
		});
	},

	/* Lets the device in no longer. The listener stays, for others may use it. */
	expel(mac) {
		return config.change(() => config.put(mac, 'plaintext', null));
	}
});
