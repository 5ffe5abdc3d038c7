'use strict';
'require view';
'require dom';
'require mqttguard.api as api';
'require mqttguard.arrival as arrival';
'require mqttguard.credential as credential';
'require mqttguard.island as island';
'require mqttguard.pairing as pairing';
'require mqttguard.parts as parts';
'require mqttguard.pushing as pushing';
'require mqttguard.questions as questions';

/* From an unknown device to one that is in: which, what it may, which way, and whether it came. At
 * `#MAC` the device is chosen already. */

function wanted() {
	try {
		return decodeURIComponent(location.hash.replace(/^#/, '')).toLowerCase();
	}
	catch (error) {
		return '';
	}
}

function load() {
	return Promise.all([ api.devices(), api.profiles() ]).then(
		([ { devices }, { profiles } ]) => ({ devices: devices || [], profiles: profiles || [] }),
		(error) => ({ error: error }));
}

return view.extend({
	load: load,

	render(data) {
		this.content = E('div');
		this.silence = E('div');
		this.trouble = E('div', { 'aria-live': 'assertive' });
		this.asked = null;
		const page = parts.page([
			E('link', { 'rel': 'stylesheet', 'href': L.resource('mqttguard/forms.css') }),
			E('h2', { 'name': 'content', 'tabindex': -1 }, [ _('Enrol a device') ]),
			this.silence, this.content
		]);
		this.show(data);
		window.addEventListener('hashchange', () => this.asked && this.asked.choose(wanted()));
		parts.follow(() => load().then((data) => this.show(data)), 5);
		return page;
	},

	/* What the house is now. While the daemon is silent that is told, and what was asked stays: a
	 * password may stand below. */
	show(data) {
		const error = data.error;
		/* Nor is what could not be done for that. */
		if (!error && this.silence.firstChild)
			dom.content(this.trouble, null);
		parts.renew(this.silence, error && error.message, () => error ? [ parts.failure(error) ] : []);
		if (error)
			return;
		if (this.asked)
			return this.asked.renew(data);
		this.asked = new questions.Questions(data, () => this.begin());
		this.result = E('div', { 'id': 'mqttguard-result' });
		dom.content(this.content, [ this.asked.node, this.trouble, E('p', {}, [ this.asked.begin() ]), this.result ]);
		this.asked.choose(wanted());
	},

	/* Does what was chosen, and shows what comes of it. */
	begin() {
		const { asked } = this, device = asked.device(), profile = asked.profile();
		if (credential.isUntaken() && !this.sure) {
			this.sure = true;
			dom.content(this.trouble, [ parts.failure(new Error(
				_('Nobody has copied what is shown below yet. Press again to go on without it.'))) ]);
			return Promise.resolve();
		}
		this.sure = false;
		asked.hold(true);
		this.leave();
		dom.content(this.trouble, null);
		if (asked.step() == 'push')
			dom.content(this.result, [ parts.waiting(_('Asking the device. That takes up to twenty seconds...')) ]);
		else if (asked.way == 'island')
			dom.content(this.result, [ parts.waiting(_('Opening the island...')) ]);
		return arrival.mark(device.mac).then((since) => this[asked.way](device, profile, since)).then(
			() => true,
			(error) => {
				dom.content(this.trouble, [ parts.failure(error) ]);
				this.result.querySelectorAll('.spinning').forEach((one) => one.remove());
			}
		).then(() => asked.hold(false));
	},

	/* Ends what is under way on the page. */
	leave() {
		[ this.watched, this.paired, this.held ].forEach((one) => {
			if (one)
				(one.stop || one.taken).call(one);
		});
		this.watched = this.paired = this.held = this.shore = null;
		dom.content(this.result, null);
	},

	/* Shows this, and whether the device comes. */
	present(node, answer, since, seen) {
		const name = answer.name || answer.mac;
		if (this.watched)
			this.watched.stop();
		this.watched = arrival.watch(answer.mac, name, since, answer, seen);
		dom.content(this.result, [ this.shore || '', node, this.watched.node ]);
		const heading = node.querySelector('h3');
		heading.focus();
		heading.scrollIntoView({ block: 'start' });
	},

	/* `extra` is added to what is answered: that it is for the island, and its port. */
	snippet(device, profile, since, extra) {
		const isKept = device.username && this.asked.isKept();
		return (isKept ? api.rotate(device.mac) : api.enrol(device.mac, profile, '')).then((answer) => {
			Object.assign(answer, extra);
			this.held = credential.password(answer);
			this.present(this.held.node, answer, since, (seen, events) =>
				arrival.has(events, answer) && this.held && this.held.taken());
		});
	},

	/* Opens the island for the device, and goes on from there. */
	island(device, profile, since) {
		const { asked } = this, then = asked.step();
		return island.admit(device.mac).then((port) => {
			asked.forget();
			this.shore = island.landed(device, port, () => {
				asked.forget();
				asked.update();
			});
			dom.content(this.result, [ this.shore ]);
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
		/* What is sent is what was shown, whatever is typed meanwhile. */
		const { asked } = this, { target, runs, user, password } = asked.pushed(device);
		const call = (dry) => api.push(target, runs, user, password, profile, dry);
		const refuge = () => asked.refuge();
		const send = () => call(false).then((answer) => {
			asked.clear();
			this.present(pushing.show(answer, null, refuge), answer, since);
		});
		return call(true).then((answer) => {
			if (answer.mac != device.mac)
				throw new Error(_('The address %s has another device by now. Choose it anew.').format(target));
			const node = pushing.show(answer, send, refuge);
			dom.content(this.result, [ this.shore || '', node ]);
			node.querySelector('h3').focus();
			node.querySelector('h3').scrollIntoView({ block: 'start' });
		});
	},

	handleSaveApply: null,
	handleSave: null,
	handleReset: null
});
