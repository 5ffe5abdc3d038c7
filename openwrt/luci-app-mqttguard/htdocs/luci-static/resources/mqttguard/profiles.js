'use strict';
'require baseclass';
'require dom';
'require mqttguard.api as api';
'require mqttguard.config as config';
'require mqttguard.dialogs as dialogs';
'require mqttguard.grants as grants';
'require mqttguard.parts as parts';

/* What a device may by its profile, and the choice of another. */

function patterns(list) {
	return (list || []).length
		? [ E('ul', { 'class': 'mqttguard-patterns' }, list.map((one) => E('li', {}, [ E('code', {}, [ one ]) ]))) ]
		: _('nothing');
}

/* What a profile grants, and its limits: `options` are those that differ from everybody's. */
function granted(profile, options) {
	return [
		parts.facts([
			[ _('It may publish to'), patterns(profile.publish) ],
			[ _('It may subscribe to'), patterns(profile.subscribe) ],
			[ _('It may never use'), (profile.deny || []).length ? patterns(profile.deny) : null ],
			[ _('Limits'), profile.limits ]
		].concat(options.map(([ name, value ]) => [ name, String(value) ]))),
		options.length ? '' : E('p', {}, [ _('They are those that mqttguard has for everybody.') ])
	];
}

const Choice = baseclass.extend({
	__init__(refresh) {
		Object.assign(this, { refresh: refresh, asked: null, all: [], device: null });
		this.form = E('div');
		this.trouble = E('div', { 'aria-live': 'assertive' });
		this.facts = E('div');
		this.node = E('div', {}, [ this.form, this.trouble, this.facts ]);
	},

	/* The profiles are asked for when the device's is another than the last time. */
	show(device) {
		this.device = device;
		if (this.asked === device.profile)
			return;
		this.asked = device.profile;
		api.profiles().then(({ profiles }) => {
			this.all = profiles || [];
			dom.content(this.trouble, null);
			this.offer();
			return this.tell(device.profile);
		}).catch((error) => {
			this.asked = null;
			dom.content(this.trouble, [ parts.failure(error) ]);
		});
	},

	/* The choice; for those who may not, what it is. */
	offer() {
		const { device, all } = this, now = device.profile;
		if (!parts.may())
			return dom.content(this.form, [ parts.facts([ [ _('Profile'), now ] ]) ]);
		const apply = parts.button(_('Save & Apply'), () => this.change(select.value, apply),
			{ style: 'positive', about: _('Profile'), key: 'profile apply', disabled: true });
		const select = E('select', {
			'id': 'mqttguard-profile', 'class': 'cbi-input-select', 'data-key': 'profile',
			'change': () => {
				apply.disabled = select.value === now;
				this.tell(select.value);
			}
		}, all.map((one) => E('option', { 'value': one.name, 'selected': one.name === now ? '' : null },
			[ one.default ? _('%s (the default)').format(one.name) : one.name ])));
		dom.content(this.form, [ E('div', { 'class': 'mqttguard-filter mqttguard-line' }, [
			E('label', { 'for': 'mqttguard-profile' }, [ _('Profile') ]), select, apply,
			parts.link(_('Edit profiles'), parts.place('settings'), { key: 'profiles' })
		]) ]);
	},

	/* What this profile grants. */
	tell(name) {
		const profile = this.all.find((one) => one.name === name);
		return (profile ? grants.limits(profile.limits) : Promise.resolve([])).then((options) =>
			parts.renew(this.facts, [ profile, options ], () => profile ? granted(profile, options) : []));
	},

	change(name, apply) {
		const { device, refresh } = this, before = device.profile;
		apply.disabled = true;
		dom.content(this.trouble, null);
		let undo = null, isNew = false;
		return config.change(() => {
			const section = config.device(device.mac);
			undo = (section && section.profile) || null;
			isNew = !section;
			return config.put(device.mac, 'profile', name);
		}).then(() => {
			dialogs.told(_('%s has the profile %s now.').format(device.name || device.mac, name), null,
				() => config.change(() => isNew ? config.retract(device.mac, 'profile')
					: config.put(device.mac, 'profile', undo)).then(refresh));
			return refresh();
		}).catch((error) => {
			apply.disabled = name === before;
			dom.content(this.trouble, [ parts.failure(error) ]);
		});
	}
});

return baseclass.extend({
	/* A part of a device's page. */
	Choice: Choice
});
