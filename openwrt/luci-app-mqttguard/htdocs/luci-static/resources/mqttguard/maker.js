'use strict';
'require baseclass';
'require dom';
'require mqttguard.api as api';
'require mqttguard.dialogs as dialogs';
'require mqttguard.parts as parts';
'require mqttguard.words as words';

/* What a device's maker says that it needs (RFC 8520), and what the owner makes of it. Nothing is
 * fetched unasked. */

const SIGNATURES = {
	'valid': () => _('signed, by one whom an authority knows'),
	'unknown': () => _('signed, but nobody trusted knows by whom'),
	'absent': () => _('not signed'),
	'invalid': () => _('the signature is not valid')
};

function signature({ state, signer, why }) {
	const said = Object.hasOwn(SIGNATURES, state) ? SIGNATURES[state]() : String(state);
	return [ said, signer, why ].filter(Boolean).join(' · ');
}

function product(says) {
	return [ says.systeminfo, says.mfg_name, says.model_name ].filter(Boolean).join(' · ');
}

/* What it may use beside the topics of its profile. */
function topics(grants, access) {
	return (grants || []).filter((one) => one.access == access).map((one) => one.filter || one.pattern);
}

/* What a description says, accepted or not. */
function description(says) {
	const to = (says.exceptions || []).map((one) => words.destination(one.to, one.port));
	return [ parts.facts([
		[ _('What it is'), product(says) ],
		[ _('Said at'), says.url ],
		[ _('Signature'), says.signature ? signature(says.signature) : null ],
		[ _('Its maker still looks after it'), says.is_supported == null ? null : says.is_supported ? _('yes') : _('no') ],
		[ _('Last changed'), says.last_update ],
		[ _('Unencrypted MQTT it asks for'), !says.exceptions ? null : to.length ? to.join(', ')
			: says.tls_only ? _('none: only MQTT over TLS') : _('none') ],
		[ _('Topics to publish to'), topics(says.grants, 'publish').join(', ') ],
		[ _('Topics to subscribe to'), topics(says.grants, 'subscribe').join(', ') ]
	]), (says.needs || []).length ? E('ul', {}, says.needs.map((need) => E('li', {}, [
		need.says, ': ', need.taken ? _('taken over') : _('left alone'), need.why ? ' (' + need.why + ')' : ''
	]))) : '' ];
}

const Maker = baseclass.extend({
	__init__(refresh) {
		Object.assign(this, { refresh: refresh, shown: null, node: E('div'), told: E('div', { 'aria-live': 'polite' }) });
		this.held = E('div');
		this.device = null;
		dom.content(this.node, [ this.held, parts.may() ? this.elsewhere() : '', this.told ]);
	},

	/* For an address of the owner's own. It stays while the rest of the page is renewed. */
	elsewhere() {
		const url = dialogs.text({ 'type': 'url', 'maxlength': 255, 'placeholder': 'https://',
			'keydown': (event) => event.key == 'Enter' && (event.preventDefault(), fetch()) });
		const fetch = () => this.fetch(this.device, url.value.trim());
		return E('div', {}, [
			dialogs.field(_('Another address'), url,
				_('Of a description (MUD file) that you know of. It may be in your own network.')),
			E('p', { 'class': 'mqttguard-buttons' }, [ parts.button(_('Fetch from there'), fetch, { key: 'mud fetch' }) ])
		]);
	},

	/* `device` as the daemon has it. */
	show(device) {
		this.device = device;
		parts.renew(this.held, [ device.mud, device.mud_url ], () => {
			const held = device.mud;
			return [
				held ? E('p', {}, [ _('You have accepted this.'), ' ', held.accepted_ms ? words.time(held.accepted_ms) : '' ])
					: device.mud_url ? E('p', {}, [ _('It announces that its maker describes it at %s. That is the device\'s own word.').format(device.mud_url) ])
					: E('p', {}, [ E('em', {}, [ _('It does not announce where its maker describes it.') ]) ])
			].concat(held && held.changed
				? E('p', { 'class': 'alert-message warning' }, [ _('There is another one by now. What you accepted stays in force until you accept that.') ]) : [],
			held ? description(held) : [], parts.may() ? [ E('p', { 'class': 'mqttguard-buttons' }, [
				device.mud_url || held ? parts.button(_('Fetch and show'), () => this.fetch(device), { key: 'mud show' }) : '',
				held ? parts.button(_('Forget it'), () => this.forget(device), { style: 'negative', key: 'mud forget' }) : ''
			]) ] : []);
		});
	},

	/* `url` is the owner's word; without one it is at what the device announces, or at what was accepted. */
	fetch(device, url) {
		dom.content(this.told, [ E('p', {}, [ _('Asking the maker\'s server...') ]) ]);
		const { mud: held } = device;
		return api.mud(device.mac, url != null ? url : held && held.by_hand ? held.url : undefined).then((says) => this.tell(device, says),
			(error) => dom.content(this.told, [ parts.failure(error) ]));
	},

	tell(device, says) {
		const may = says.acceptable;
		dom.content(this.told, [ E('section', { 'class': 'mqttguard-note' }, [
			E('h4', {}, [ _('What its maker says') ])
		].concat(description(says), [
			says.accepted ? E('p', {}, [ _('This very description is in force.') ])
				: may == 'no' ? E('p', {}, [ _('It cannot be accepted: somebody may have changed it on the way.') ])
				: E('p', {}, [ parts.button(may == 'yes' ? _('Accept') : _('Accept though nobody vouches for it'),
					() => this.accept(device, says), { style: may == 'yes' ? 'positive' : 'negative', key: 'mud accept' }) ])
		])) ]);
	},

	accept(device, says) {
		const isVerified = says.acceptable == 'yes';
		const publish = topics(says.grants, 'publish'), subscribe = topics(says.grants, 'subscribe');
		const to = (says.exceptions || []).map((one) => words.destination(one.to, one.port));
		dialogs.ask(_('Accept what is said of %s').format(device.name || device.mac), [
			isVerified ? '' : E('p', { 'class': 'alert-message warning' }, [
				_('Nobody trusted says that this is from its maker: whoever controls the device, or that server, may have written it. Accept it only if you know better.') ]),
			E('p', {}, [ to.length
				? _('The device may then send unencrypted MQTT to %s, and to nobody else. Whoever is on the way can read and change it.').format(to.join(', '))
				: _('Nothing is let out by it. You are told if the device tries what its maker does not say.') ]),
			publish.length ? E('p', {}, [ _('Beside what its profile grants, it may then publish to %s.').format(publish.join(', ')) ]) : '',
			subscribe.length ? E('p', {}, [ _('Beside what its profile grants, it may then subscribe to %s.').format(subscribe.join(', ')) ]) : ''
		], _('Accept'), isVerified ? 'positive' : 'negative', () =>
			api.mud(device.mac, undefined, true, isVerified ? undefined : true, says.sha256).then((answer) => {
				dialogs.told(_('What is said of %s is in force.').format(device.name || device.mac), answer);
				dom.content(this.told, null);
				return this.refresh();
			}));
	},

	forget(device) {
		dialogs.ask(_('Forget what is said of %s').format(device.name || device.mac), [
			E('p', {}, [ _('What it lets out is blocked again, and the topics that it asks for are not granted any more.') ])
		], _('Forget it'), 'negative', () =>
			api.mud(device.mac, undefined, undefined, undefined, undefined, true).then((answer) => {
				dialogs.told(_('What was said of %s is forgotten.').format(device.name || device.mac), answer);
				dom.content(this.told, null);
				return this.refresh();
			}));
	}
});

return baseclass.extend({ Maker: Maker });
