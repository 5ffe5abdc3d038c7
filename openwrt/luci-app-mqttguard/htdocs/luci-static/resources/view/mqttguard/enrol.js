'use strict';
'require view';
'require poll';
'require dom';
'require mqttguard.api as api';
'require mqttguard.arrival as arrival';
'require mqttguard.credential as credential';
'require mqttguard.firmware as firmware';
'require mqttguard.pairing as pairing';
'require mqttguard.parts as parts';
'require mqttguard.pushing as pushing';
'require mqttguard.words as words';

/* From an unknown device to one that is in: which, what it may, which way, and whether it came. At
 * `#MAC` the device is chosen already. */

/* What stands for a device that is not in the list. */
const OTHER = 'other';
const MAC = /^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i;
/* Topics of a profile that are named in its explanation. */
const TOPICS = 6;

/* The ways to enrol, in the order in which they are offered. */
const WAYS = [
	{ name: 'push', title: () => _('The router sets it up'),
	  about: () => _('It is told over the network where its broker is, with a new password. You see each step before.'),
	  begin: () => _('Show what would be sent') },
	{ name: 'snippet', title: () => _('I copy settings into it'),
	  about: () => _('You get a user name and a password, and what to enter where, ready to copy.'),
	  begin: () => _('Make a password') },
	{ name: 'pair', title: () => _('Take what it has (pairing)'),
	  about: () => _('For two minutes, the user name and password that the device presents are taken for its own.'),
	  begin: () => _('Begin pairing') },
	{ name: 'certificate', title: () => _('With a certificate'),
	  about: () => _('For software that logs in by a certificate instead of a password. You get files.'),
	  begin: () => _('Make a certificate') }
];

function wanted() {
	return decodeURIComponent(location.hash.replace(/^#/, '')).toLowerCase();
}

function load() {
	return Promise.all([ api.devices(), api.profiles() ]).then(
		([ { devices }, { profiles } ]) => ({ devices: devices || [], profiles: profiles || [] }),
		(error) => ({ error: error }));
}

/* New ones first, as they are those that wait. */
function ordered(devices) {
	const key = (device) => (device.username ? '1' : '0') + (device.name || device.mac).toLowerCase();
	return devices.slice().sort((a, b) => key(a) < key(b) ? -1 : 1);
}

function called(device) {
	const addresses = device.addresses || [];
	const hints = [ device.firmware && firmware.title(device.firmware), device.vendor,
		addresses.find((one) => !one.includes(':')) || addresses[0] ];
	return [ device.name || device.mac ].concat(hints.filter(Boolean)).join(' · ') +
		(device.username ? ' · ' + words.state(device.state) : '');
}

function labelled(id, title, control, help) {
	return E('div', { 'class': 'cbi-value' }, [
		E('label', { 'class': 'cbi-value-title', 'for': id }, [ title ]),
		E('div', { 'class': 'cbi-value-field' }, [ control, help ])
	]);
}

function line(id, attributes) {
	return E('input', Object.assign({
		'type': 'text', 'id': id, 'class': 'cbi-input-text', 'autocomplete': 'off', 'spellcheck': 'false'
	}, attributes));
}

return view.extend({
	load: load,

	render(data) {
		this.content = E('div');
		const page = parts.page([
			E('link', { 'rel': 'stylesheet', 'href': L.resource('mqttguard/forms.css') }),
			E('h2', { 'name': 'content', 'tabindex': -1 }, [ _('Enrol a device') ]),
			this.content
		]);
		if (data.error) {
			dom.content(this.content, [ parts.failure(data.error) ]);
			return page;
		}
		this.data = data;
		this.make();
		window.addEventListener('hashchange', () => this.choose(wanted()));
		poll.add(() => load().then((data) => {
			if (!data.error) {
				this.data = data;
				this.fill();
			}
		}), 5);
		return page;
	},

	/* What is asked, and a place for what comes of it. */
	make() {
		const update = () => this.update();
		const nodes = this.nodes = {
			device: E('select', { 'id': 'mqttguard-device', 'class': 'cbi-input-select', 'change': () => this.changed(),
				'aria-describedby': 'mqttguard-hints' }),
			mac: line('mqttguard-mac', { 'placeholder': '02:c1:1e:17:00:01', 'input': update }),
			hints: E('div', { 'id': 'mqttguard-hints' }),
			profile: E('select', { 'id': 'mqttguard-profile', 'class': 'cbi-input-select', 'change': update,
				'aria-describedby': 'mqttguard-why' }),
			why: E('div', { 'id': 'mqttguard-why', 'class': 'cbi-value-description' }),
			ways: E('div'),
			user: line('mqttguard-user', { 'placeholder': 'admin' }),
			password: line('mqttguard-password', { 'type': 'password', 'autocomplete': 'new-password' }),
			trouble: E('div', { 'aria-live': 'assertive' }),
			result: E('div', { 'id': 'mqttguard-result' })
		};
		nodes.other = labelled('mqttguard-mac', _('MAC address'), nodes.mac,
			E('div', { 'class': 'cbi-value-description' }, [ _('It is on the device or in its settings.') ]));
		nodes.login = E('form', { 'submit': (event) => {
			event.preventDefault();
			nodes.begin.click();
		} }, [
			E('p', {}, [ _('If the device\'s own web page asks for a password, the router needs it too. It is not kept.') ]),
			labelled('mqttguard-user', _('User name there'), nodes.user, ''),
			labelled('mqttguard-password', _('Password there'), nodes.password, '')
		]);
		nodes.begin = parts.button('', () => this.begin(), { style: 'positive' });
		dom.content(this.content, [
			L.hasViewPermission() ? '' : E('p', { 'class': 'alert-message warning' }, [ _('You may look, but not change anything here.') ]),
			E('section', { 'class': 'cbi-section' }, [
				E('h3', {}, [ _('Which device?') ]),
				labelled('mqttguard-device', _('Device'), nodes.device, nodes.hints), nodes.other
			]),
			E('section', { 'class': 'cbi-section' }, [
				E('h3', {}, [ _('What may it do?') ]),
				labelled('mqttguard-profile', _('Profile'), nodes.profile, nodes.why)
			]),
			E('fieldset', { 'class': 'cbi-section mqttguard-ways' }, [
				E('legend', {}, [ _('Which way?') ]), nodes.ways, nodes.login
			]),
			nodes.trouble, E('p', {}, [ nodes.begin ]), nodes.result
		]);
		this.fill();
		this.choose(wanted());
	},

	/* Puts the devices and profiles into the choices; what is chosen stays so. */
	fill() {
		const { device, profile } = this.nodes, [ chosen, granted ] = [ device.value, profile.value ];
		const options = ordered(this.data.devices).map((one) => [ one.mac, called(one) ]);
		parts.renew(device, options, () => [ E('option', { 'value': '' }, [ _('Please choose') ]) ].concat(
			options.map(([ mac, title ]) => E('option', { 'value': mac }, [ title ])),
			[ E('option', { 'value': OTHER }, [ _('Another one, by its MAC address') ]) ]));
		const names = this.data.profiles.map((one) => one.name);
		parts.renew(profile, names, () => names.map((name) => E('option', { 'value': name }, [ name ])));
		device.value = chosen;
		if (device.selectedIndex < 0)
			device.value = '';
		profile.value = granted;
		this.update();
	},

	choose(mac) {
		if (!mac)
			return this.changed();
		const { device, mac: field } = this.nodes;
		const known = this.data.devices.some((one) => one.mac === mac);
		device.value = known ? mac : OTHER;
		field.value = known ? '' : mac;
		this.changed();
	},

	/* The device, as far as it is known; null if none is chosen. */
	device() {
		const { device, mac } = this.nodes, typed = mac.value.trim().toLowerCase().replace(/-/g, ':');
		if (device.value != OTHER)
			return this.data.devices.find((one) => one.mac === device.value) || null;
		return MAC.test(typed) ? this.data.devices.find((one) => one.mac === typed) || { mac: typed } : null;
	},

	/* Another device: what fits it is chosen anew. */
	changed() {
		const device = this.device() || {}, { profile } = this.nodes;
		const names = this.data.profiles.map((one) => one.name);
		const standard = this.data.profiles.find((one) => one.default);
		const fits = device.username ? device.profile : device.suggested_profile;
		profile.value = names.includes(fits) ? fits : standard ? standard.name : names[0];
		this.way = this.ways(device)[0].name;
		this.update();
	},

	/* The ways that are open to a device. */
	ways(device) {
		return WAYS.filter(({ name }) => name != 'push' ||
			firmware.isPushed(device.firmware) && (device.addresses || []).length > 0);
	},

	/* Shows what goes with what is chosen. */
	update() {
		const nodes = this.nodes, device = this.device();
		nodes.other.hidden = nodes.device.value != OTHER;
		parts.renew(nodes.hints, device, () => device && device.state ? [ parts.facts([
			[ _('State'), [ parts.state(device.state), device.why ? ' ' + device.why : '' ] ],
			[ _('MAC address'), device.mac ],
			[ _('Addresses'), (device.addresses || []).join(', ') ],
			[ _('Vendor'), device.vendor ],
			[ _('Firmware, as it seems'), device.firmware ? firmware.title(device.firmware) : null ],
			[ _('User name'), device.username ]
		]) ] : []);
		this.explain(device);
		const ways = this.ways(device || {});
		if (!ways.some(({ name }) => name == this.way))
			this.way = ways[0].name;
		parts.renew(nodes.ways, ways.map(({ name }) => name), () => ways.map((way) => this.radio(way)));
		nodes.ways.querySelectorAll('input').forEach((input) => {
			input.checked = input.value == this.way;
		});
		nodes.login.hidden = this.way != 'push';
		nodes.begin.textContent = WAYS.find(({ name }) => name == this.way).begin();
		nodes.begin.disabled = !device || !L.hasViewPermission() || !!this.busy;
	},

	radio({ name, title, about }) {
		const id = 'mqttguard-way-' + name;
		return E('div', { 'class': 'mqttguard-way' }, [
			E('input', { 'type': 'radio', 'name': 'mqttguard-way', 'id': id, 'value': name, 'data-key': id,
				'aria-describedby': id + '-about', 'change': () => {
					this.way = name;
					this.update();
				} }),
			E('div', {}, [
				E('label', { 'for': id }, [ title() ]), E('div', { 'id': id + '-about' }, [ about() ])
			])
		]);
	},

	/* Why this profile, and what it grants. */
	explain(device) {
		const { profile, why } = this.nodes, name = profile.value;
		const granted = this.data.profiles.find((one) => one.name === name);
		const reason = !device ? null
			: device.username && device.profile === name ? _('It has this profile now.')
			: device.suggested_profile === name
				? _('It seems to run %s, and this profile is made for that.').format(firmware.title(device.firmware))
			: granted && granted.default ? _('This is what devices get of which nothing else is known.') : null;
		const topics = (list) => list && list.length ? list.slice(0, TOPICS)
			.flatMap((topic, at) => [ at ? ', ' : '', E('code', {}, [ topic ]) ])
			.concat(list.length > TOPICS ? [ ', ', _('and %d more').format(list.length - TOPICS) ] : []) : [ _('nothing') ];
		parts.renew(why, [ reason, granted ], () => [
			reason ? E('p', {}, [ reason ]) : '',
			granted ? parts.facts([
				[ _('May publish to'), topics(granted.publish) ], [ _('May subscribe to'), topics(granted.subscribe) ],
				[ _('Limits'), granted.limits ]
			]) : ''
		]);
	},

	/* Does what was chosen, and shows what comes of it. */
	begin() {
		const device = this.device(), profile = this.nodes.profile.value;
		this.busy = true;
		this.update();
		this.leave();
		dom.content(this.nodes.trouble, null);
		return arrival.mark(device.mac).then((since) => this[this.way](device, profile, since)).then(
			() => true,
			(error) => dom.content(this.nodes.trouble, [ parts.failure(error) ])
		).then(() => {
			this.busy = false;
			this.update();
		});
	},

	/* Ends what is under way on the page. */
	leave() {
		[ this.watched, this.paired, this.held ].forEach((one) => {
			if (one)
				(one.stop || one.taken).call(one);
		});
		this.watched = this.paired = this.held = null;
		dom.content(this.nodes.result, null);
	},

	/* Shows this, and whether the device comes. */
	present(node, answer, since, seen) {
		const name = answer.name || answer.mac;
		this.watched = arrival.watch(answer.mac, name, since, answer, seen);
		dom.content(this.nodes.result, [ node, this.watched.node ]);
		const heading = node.querySelector('h3');
		heading.focus();
		heading.scrollIntoView({ block: 'start' });
	},

	snippet(device, profile, since) {
		return api.enrol(device.mac, profile, '').then((answer) => {
			this.held = credential.password(answer);
			this.present(this.held.node, answer, since, (seen, events) =>
				events.some(({ event }) => event == 'connected') && this.held && this.held.taken());
		});
	},

	certificate(device, profile, since) {
		return api.certificate(device.mac, profile).then((answer) => {
			this.held = credential.certificate(answer);
			this.present(this.held.node, answer, since);
		});
	},

	pair(device, profile, since) {
		return api.pair(device.mac, profile).then((answer) => {
			this.paired = pairing.show(answer, () => this.begin());
			this.present(this.paired.node, answer, since, this.paired.seen);
		});
	},

	push(device, profile, since) {
		const { user, password } = this.nodes;
		const call = (dry) => api.push(device.mac, device.firmware, user.value.trim(), password.value, profile, dry);
		const send = () => call(false).then((answer) => {
			password.value = '';
			this.present(pushing.show(answer), answer, since);
		});
		return call(true).then((answer) => {
			const node = pushing.show(answer, send);
			dom.content(this.nodes.result, [ node ]);
			node.querySelector('h3').focus();
		});
	},

	handleSaveApply: null,
	handleSave: null,
	handleReset: null
});
