'use strict';
'require view';
'require poll';
'require dom';
'require mqttguard.api as api';
'require mqttguard.arrival as arrival';
'require mqttguard.credential as credential';
'require mqttguard.firmware as firmware';
'require mqttguard.island as island';
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
	{ name: 'island', title: () => _('Without TLS, on the island'),
	  about: () => _('For devices that cannot do TLS at all: unencrypted, but only to this router and never out of the house.'),
	  begin: () => _('Let it on the island') },
	{ name: 'certificate', title: () => _('With a certificate'),
	  about: () => _('For software that logs in by a certificate instead of a password. You get files.'),
	  begin: () => _('Make a certificate') }
];

/* The ways that a device can take once it is on the island. */
const ASHORE = [ 'snippet', 'pair', 'push' ];

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
			password: line('mqttguard-password', { 'type': 'password', 'autocomplete': 'new-password' }),
			trouble: E('div', { 'aria-live': 'assertive' }),
			result: E('div', { 'id': 'mqttguard-result' })
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
				E('legend', {}, [ _('Which way?') ]), nodes.ways, nodes.island, nodes.next, nodes.kind, nodes.login
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
		this.detail(device);
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
		if (credential.isUntaken() && !this.sure) {
			this.sure = true;
			dom.content(this.nodes.trouble, [ parts.failure(new Error(
				_('Nobody has copied what is shown below yet. Press again to go on without it.'))) ]);
			return Promise.resolve();
		}
		this.sure = false;
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
		this.watched = this.paired = this.held = this.shore = null;
		dom.content(this.nodes.result, null);
	},

	/* Shows this, and whether the device comes. */
	present(node, answer, since, seen) {
		const name = answer.name || answer.mac;
		if (this.watched)
			this.watched.stop();
		this.watched = arrival.watch(answer.mac, name, since, answer, seen);
		dom.content(this.nodes.result, [ this.shore || '', node, this.watched.node ]);
		const heading = node.querySelector('h3');
		heading.focus();
		heading.scrollIntoView({ block: 'start' });
	},

	/* `extra` is added to what is answered: that it is for the island, and its port. */
	snippet(device, profile, since, extra) {
		const isKept = device.username && this.nodes.present.value == 'kept';
		return (isKept ? api.rotate(device.mac) : api.enrol(device.mac, profile, '')).then((answer) => {
			Object.assign(answer, extra);
			this.held = credential.password(answer);
			this.present(this.held.node, answer, since, (seen, events) =>
				arrival.has(events, answer) && this.held && this.held.taken());
		});
	},

	/* Opens the island for the device, and goes on from there. */
	island(device, profile, since) {
		const then = this.step();
		return island.admit(device.mac).then((port) => {
			this.explored = null;
			this.shore = island.landed(device, port, () => {
				this.explored = null;
				this.update();
			});
			dom.content(this.nodes.result, [ this.shore ]);
			return this[then](device, profile, since, { port: port, plain: true });
		});
	},

	certificate(device, profile, since) {
		return api.certificate(device.mac, profile).then((answer) => {
			this.held = credential.certificate(answer);
			this.present(this.held.node, answer, since);
		});
	},

	pair(device, profile, since, extra) {
		return api.pair(device.mac, profile).then((answer) => {
			Object.assign(answer, extra);
			this.paired = pairing.show(answer, () => this.begin());
			this.present(this.paired.node, answer, since, this.paired.seen);
		});
	},

	push(device, profile, since) {
		const { user, password, address, firmware: chosen } = this.nodes;
		/* What is sent is what was shown, whatever is typed meanwhile. */
		const login = [ user.value.trim(), password.value ];
		const [ runs, target ] = [ device.firmware || chosen.value, addresses(device).length > 1 ? address.value : device.mac ];
		const call = (dry) => api.push(target, runs, login[0] || undefined, login[1] || undefined, profile, dry);
		const refuge = () => {
			this.way = 'island';
			this.update();
			this.nodes.then.value = 'push';
			this.update();
			this.nodes.then.focus();
		};
		const send = () => call(false).then((answer) => {
			password.value = '';
			this.present(pushing.show(answer, null, refuge), answer, since);
		});
		return call(true).then((answer) => {
			if (answer.mac != device.mac)
				throw new Error(_('The address %s has another device by now. Choose it anew.').format(target));
			const node = pushing.show(answer, send, refuge);
			dom.content(this.nodes.result, [ this.shore || '', node ]);
			node.querySelector('h3').focus();
			node.querySelector('h3').scrollIntoView({ block: 'start' });
		});
	},

	handleSaveApply: null,
	handleSave: null,
	handleReset: null
});
