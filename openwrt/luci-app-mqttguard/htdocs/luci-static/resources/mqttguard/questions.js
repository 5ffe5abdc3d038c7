'use strict';
'require baseclass';
'require dom';
'require mqttguard.codes as codes';
'require mqttguard.firmware as firmware';
'require mqttguard.island as island';
'require mqttguard.parts as parts';
'require mqttguard.words as words';

/* What is asked to enrol a device: which, what it may, and which way. */

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
	{ name: 'island', title: () => _('Without TLS, on the island'),
	  about: () => _('For devices that cannot do TLS at all: unencrypted, but only to this router and never out of the house.'),
	  begin: () => _('Let it on the island') },
	{ name: 'certificate', title: () => _('With a certificate'),
	  about: () => _('For software that logs in by a certificate instead of a password. You get files.'),
	  begin: () => _('Make a certificate') }
];

/* The ways that a device can take once it is on the island. */
const ASHORE = [ 'snippet', 'pair', 'push' ];

/* New ones first, as they are those that wait. */
function ordered(devices) {
	const key = (device) => (device.username ? '1' : '0') + (device.name || device.mac).toLowerCase();
	return devices.slice().sort((a, b) => key(a) < key(b) ? -1 : 1);
}

/* Where a device can be spoken to, as far as there is a choice. */
function addresses(device) {
	const all = device.addresses || [], v4 = all.filter((one) => !one.includes(':'));
	return v4.length ? v4 : all.filter((one) => !/^fe[89ab]/i.test(one));
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

const Questions = baseclass.extend({
	/* `data` is what the page loaded, `begin` what its button does. */
	__init__(data, begin) {
		Object.assign(this, { data: data, act: begin, explored: null, busy: false, way: null });
		this.make();
		this.fill();
	},

	/* What is asked. */
	make() {
		const update = () => this.update();
		this.explored = null;
		const nodes = this.nodes = {
			device: E('select', { 'id': 'mqttguard-device', 'class': 'cbi-input-select', 'change': () => this.changed(),
				'aria-describedby': 'mqttguard-hints' }),
			mac: line('mqttguard-mac', { 'placeholder': '02:c1:1e:17:00:01', 'input': update }),
			hints: E('div', { 'id': 'mqttguard-hints' }),
			profile: E('select', { 'id': 'mqttguard-profile', 'class': 'cbi-input-select', 'change': update,
				'aria-describedby': 'mqttguard-why' }),
			why: E('div', { 'id': 'mqttguard-why', 'class': 'cbi-value-description' }),
			ways: E('div'),
			firmware: E('select', { 'id': 'mqttguard-pushed', 'class': 'cbi-input-select', 'change': update }),
			address: E('select', { 'id': 'mqttguard-address', 'class': 'cbi-input-select' }),
			island: E('div', { 'class': 'mqttguard-note' }),
			then: E('select', { 'id': 'mqttguard-then', 'class': 'cbi-input-select', 'change': update }),
			present: E('select', { 'id': 'mqttguard-present', 'class': 'cbi-input-select', 'change': update,
				'aria-describedby': 'mqttguard-kept' }),
			kept: E('div', { 'id': 'mqttguard-kept', 'class': 'cbi-value-description' }),
			user: line('mqttguard-user', { 'placeholder': 'admin' }),
			password: line('mqttguard-password', { 'type': 'password', 'autocomplete': 'new-password' })
		};
		nodes.other = labelled('mqttguard-mac', _('MAC address'), nodes.mac,
			E('div', { 'class': 'cbi-value-description' }, [ _('It is on the device or in its settings.') ]));
		nodes.runs = labelled('mqttguard-pushed', _('What it runs'), nodes.firmware, '');
		nodes.where = labelled('mqttguard-address', _('At which address'), nodes.address, '');
		nodes.next = labelled('mqttguard-then', _('And then'), nodes.then, '');
		nodes.kind = labelled('mqttguard-present', _('The password that it has'), nodes.present, nodes.kept);
		nodes.login = E('form', { 'submit': (event) => {
			event.preventDefault();
			nodes.begin.click();
		} }, [
			nodes.runs, nodes.where,
			E('p', {}, [ _('If the device\'s own web page asks for a password, the router needs it too. It is not kept.') ]),
			labelled('mqttguard-user', _('User name there'), nodes.user, ''),
			labelled('mqttguard-password', _('Password there'), nodes.password, '')
		]);
		nodes.begin = parts.button('', () => this.act(), { style: 'positive' });
		this.node = E('div', {}, [
			parts.guest(),
			E('section', { 'class': 'cbi-section' }, [
				E('h3', {}, [ _('Which device?') ]),
				labelled('mqttguard-device', _('Device'), nodes.device, nodes.hints), nodes.other
			]),
			E('section', { 'class': 'cbi-section' }, [
				E('h3', {}, [ _('What may it do?') ]),
				labelled('mqttguard-profile', _('Profile'), nodes.profile, nodes.why)
			]),
			E('fieldset', { 'class': 'cbi-section mqttguard-ways' }, [
				E('legend', {}, [ _('Which way?') ]), nodes.ways, nodes.island, nodes.next, nodes.kind, nodes.login
			])
		]);
	},

	/* The button that does it. */
	begin() {
		return this.nodes.begin;
	},

	/* While it is done, it cannot be done again. */
	hold(busy) {
		this.busy = busy;
		this.update();
	},

	/* The profile that is chosen. */
	profile() {
		return this.nodes.profile.value;
	},

	/* Whether the password of before is to go on for a while. */
	isKept() {
		return this.nodes.present.value == 'kept';
	},

	/* How a push reaches the device: its `target`, what it `runs`, and the login of its web page. */
	pushed(device) {
		const { user, password, address, firmware: chosen } = this.nodes;
		return {
			target: addresses(device).length > 1 ? address.value : device.mac,
			runs: device.firmware || chosen.value,
			user: user.value.trim() || undefined,
			password: password.value || undefined
		};
	},

	/* A password is not kept in the page once it has done its work. */
	clear() {
		this.nodes.password.value = '';
	},

	/* What the island is may be another by now. */
	forget() {
		this.explored = null;
	},

	/* Leads a device that cannot do TLS to the island, and to a push there. */
	refuge() {
		this.way = 'island';
		this.update();
		this.nodes.then.value = 'push';
		this.update();
		this.nodes.then.focus();
	},

	/* Takes what has changed in the house. */
	renew(data) {
		this.data = data;
		this.fill();
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
		this.way = this.ways(device).some(({ name }) => name == 'push') && firmware.isPushed(device.firmware) ? 'push'
			: firmware.isPlain(device.firmware) ? 'island' : 'snippet';
		/* What was meant for another device is not sent to this one. */
		this.nodes.password.value = '';
		this.offer(this.nodes.firmware, firmware.PUSHED.map((name) => [ name, firmware.title(name) ]), device.firmware);
		this.offer(this.nodes.present, [
			[ 'kept', _('works until the device uses the new one, for 7 days at most') ],
			[ 'ended', _('ends at once, and the device is cut off until it has the new one') ]
		], 'kept');
		this.update();
	},

	/* Puts options into a choice, and chooses one; else what was chosen stays, or it is the first. */
	offer(select, options, chosen) {
		const before = select.value;
		parts.renew(select, options, () =>
			options.map(([ value, title ]) => E('option', { 'value': value }, [ title ])));
		select.value = chosen || before;
		if (select.selectedIndex < 0)
			select.selectedIndex = 0;
	},

	/* The ways that are open to a device. One whose firmware is not known may take a push: its owner
	 * knows. */
	ways(device) {
		return WAYS.filter(({ name }) => name != 'push' || addresses(device).length > 0 &&
			(!device.firmware || firmware.isPushed(device.firmware)));
	},

	/* What is done in the end, on the island or not. */
	step() {
		return this.way == 'island' ? this.nodes.then.value : this.way;
	},

	/* Shows what goes with the way that is chosen. */
	detail(device) {
		const nodes = this.nodes, known = device || {}, on = this.way == 'island';
		const ashore = ASHORE.filter((way) => this.ways(known).some(({ name }) => name == way));
		this.offer(nodes.then, ashore.map((way) => [ way, WAYS.find(({ name }) => name == way).title() ]));
		nodes.island.hidden = nodes.next.hidden = !on;
		if (on)
			this.explore(known.mac);
		const step = this.step(), found = addresses(known);
		this.offer(nodes.address, found.map((one) => [ one, one ]));
		nodes.login.hidden = step != 'push';
		nodes.where.hidden = found.length < 2;
		nodes.runs.hidden = firmware.isPushed(known.firmware);
		/* A rotation leaves the profile as it is. */
		const other = known.username && nodes.profile.value != known.profile;
		nodes.kind.hidden = step != 'snippet' || !known.username;
		if (nodes.present.disabled != !!other)
			nodes.present.value = other ? 'ended' : 'kept';
		nodes.present.disabled = !!other;
		parts.renew(nodes.kept, other, () => other ? [ _('With another profile it has to start anew.') ] : []);
	},

	/* What the island is, and what would be changed for the device. The configuration is read when
	 * another device is chosen. */
	explore(mac) {
		const { island: place } = this.nodes;
		if (this.explored === mac)
			return;
		this.explored = mac;
		island.look(mac).then(
			(found) => this.explored === mac && dom.content(place, island.explain(found)),
			(error) => dom.content(place, [ parts.failure(error) ]));
	},

	/* Shows what goes with what is chosen. */
	update() {
		const nodes = this.nodes, device = this.device(), why = device && codes.because(device);
		nodes.other.hidden = nodes.device.value != OTHER;
		parts.renew(nodes.hints, device, () => device && device.state ? [ parts.facts([
			[ _('State'), [ parts.state(device.state), why ? ` (${why})` : '' ] ],
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
		this.detail(device);
		nodes.begin.textContent = WAYS.find(({ name }) => name == this.way).begin();
		nodes.begin.disabled = !device || !parts.may() || !!this.busy;
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
	}
});

return baseclass.extend({
	Questions: Questions
});
