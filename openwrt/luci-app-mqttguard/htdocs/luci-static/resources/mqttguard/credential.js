'use strict';
'require baseclass';
'require dom';
'require mqttguard.api as api';
'require mqttguard.codes as codes';
'require mqttguard.files as files';
'require mqttguard.firmware as firmware';
'require mqttguard.parts as parts';
'require mqttguard.words as words';

/* What is shown once: a password, with what to set on the device, or a certificate with its key. It is
 * in the page and nowhere else, and a page that is left while nobody has taken it says so. */

/* What the daemon has in a snippet where it does not know the password any more. */
const PLACEHOLDER = 'THE-PASSWORD';

/* How many secrets are in the page that nobody has taken yet. */
let untaken = 0;

window.addEventListener('beforeunload', (event) => {
	if (untaken > 0) {
		event.preventDefault();
		event.returnValue = '';
	}
});

/* Counts a secret until what it gives is called, however often. */
function hold() {
	let held = true;
	untaken += 1;
	return () => {
		untaken -= held ? 1 : 0;
		held = false;
	};
}

function snippets(list, isPlain, taken) {
	const fit = isPlain ? list.filter((one) => one.plain) : list;
	return fit.length ? fit.map((one) => E('section', { 'class': 'mqttguard-snippet' }, [
		E('h4', {}, [ codes.snippet(one) ]),
		one.text ? E('pre', { 'tabindex': 0, 'aria-label': codes.snippet(one) }, [ one.text ]) : '',
		one.text ? files.copier(one.text, codes.snippet(one), taken) : '',
		codes.noted(one).length ? E('ul', {}, codes.noted(one).map((note) => E('li', {}, [ note ]))) : ''
	])) : [ E('p', {}, [ isPlain
		? _('Nothing is prepared for it: enter what stands above, and switch TLS off.')
		: _('There is nothing to copy for it: the broker has no listener that it could use.') ]) ];
}

/* The snippets, with a choice for which firmware. */
function chooser(answer, taken) {
	const place = E('div', {}, snippets(answer.snippets || [], answer.plain, taken));
	const choice = E('select', { 'id': 'mqttguard-firmware', 'class': 'cbi-input-select', 'change': () =>
		api.snippet(answer.mac, choice.value).then(({ snippets: list }) => list.map((one) =>
			Object.assign({}, one, { text: one.text.split(PLACEHOLDER).join(answer.password) })))
			.then((list) => dom.content(place, snippets(list, answer.plain, taken)),
				(error) => dom.content(place, [ parts.failure(error) ]))
	}, [ E('option', { 'value': '', 'disabled': '' }, [ _('Firmware not known') ]) ].concat(
		firmware.NAMES.map((name) => E('option', { 'value': name }, [ firmware.title(name) ]))));
	choice.value = answer.firmware || '';
	return [
		E('p', {}, [ E('label', { 'for': 'mqttguard-firmware' }, [ _('Ready to copy, for') ]), ' ', choice ]), place
	];
}

function authority() {
	const said = E('span', { 'role': 'status' });
	return E('p', {}, [
		parts.button(_('Download the router\'s CA certificate'), () =>
			api.ca().then(({ ca }) => files.save('mqttguard-ca.crt', ca.pem), (error) => {
				said.textContent = error.message;
			})), ' ', said
	]);
}

function value(text, about, taken) {
	return [ E('div', { 'class': 'mqttguard-shown' }, [
		E('code', { 'class': 'mqttguard-secret' }, [ text ]), files.copier(text, about, taken)
	]) ];
}

/* That the credential which the device had has ended. */
function ended({ username, certificates: count }) {
	const text = !count
		? _('The credential that it had, "%s", has ended, and whoever was in by it is cut off.')
		: N_(count, 'The credential that it had, "%s", has ended with its certificate, and whoever was in by it is cut off.',
			'The credential that it had, "%s", has ended with its %d certificates, and whoever was in by it is cut off.');
	return E('p', { 'class': 'mqttguard-note' }, [ text.format(username, count) ]);
}

/* What keeps a device out that has a credential, by its state: what that is called, and what ends it. */
const BARS = {
	'quarantined': [ () => _('It cannot log in yet: it is in quarantine.'), () => _('Release'), api.release ],
	'blocked': [ () => _('It cannot log in yet: it is blocked.'), () => _('Unblock'), api.unblock ]
};

/* The same, where it can be ended without leaving what is shown once. */
function bar(answer) {
	if (!Object.hasOwn(BARS, answer.state))
		return '';
	const [ says, label, end ] = BARS[answer.state], said = E('p', { 'role': 'status', 'tabindex': -1 });
	const barred = E('p', {}, [ says(), ' ', parts.button(label(), () => end(answer.mac).then(() => {
		barred.remove();
		said.textContent = _('%s is free again.').format(answer.name || answer.mac);
		said.focus();
	}, (error) => {
		said.textContent = error.message;
	}), { style: 'action' }) ]);
	return E('div', { 'class': 'alert-message warning' }, [ barred, said ]);
}

/* A part of the page that is emptied when the owner is done with it. */
function once(title, children, taken) {
	const node = E('section', { 'class': 'cbi-section' });
	const gone = () => {
		taken();
		dom.content(node, [
			E('h3', { 'tabindex': -1 }, [ title ]), E('p', {}, [ _('It is not shown any more. If it is lost, enrol the device again.') ])
		]);
		node.firstElementChild.focus();
	};
	dom.content(node, [ E('h3', { 'tabindex': -1 }, [ title ]) ].concat(children, [
		E('p', {}, [ parts.button(_('I have put it into the device'), gone, { style: 'positive' }) ])
	]));
	return node;
}

return baseclass.extend({
	/* Whether the page shows something that would be lost with it. */
	isUntaken() {
		return untaken > 0;
	},

	/* The answer to `enrol` or `rotate`, `plain` if it is for the island, and what tells that its secret
	 * needs no keeping any more. */
	password(answer) {
		const taken = hold();
		return { taken: taken, node: once(_('Credential for %s').format(answer.name || answer.mac), [
			E('p', {}, [ _('Put this into the settings of the device. The password is shown only now.') ]),
			answer.warning ? E('p', { 'class': 'alert-message warning', 'role': 'alert' }, [ answer.warning ]) : '',
			bar(answer), answer.ended ? ended(answer.ended) : '',
			parts.facts([
				[ _('Server'), [ answer.server, answer.address ].filter(Boolean).join(' / ') ],
				[ answer.plain ? _('Port (without TLS)') : _('Port (TLS)'), answer.port ],
				[ _('User name'), value(answer.username, _('User name')) ],
				[ _('Password'), value(answer.password, _('Password'), taken) ],
				[ _('The old one works until'), answer.old_until_ms ? words.time(answer.old_until_ms) : null ],
				[ _('Profile'), answer.profile ]
			])
		].concat(chooser(answer, taken), answer.plain ? [] : [ authority() ]), taken) };
	},

	/* The answer to `certificate`. */
	certificate(answer) {
		const taken = hold(), name = (answer.name || answer.mac).replace(/[^\w.-]/g, '-');
		return { taken: taken, node: once(_('Certificate for %s').format(answer.name || answer.mac), [
			E('p', {}, [ _('Three files for the device. The key is given out only now. It works at listeners that ask for client certificates.') ]),
			answer.warning ? E('p', { 'class': 'alert-message warning', 'role': 'alert' }, [ answer.warning ]) : '',
			parts.facts([
				[ _('Server'), [ answer.server, answer.address ].filter(Boolean).join(' / ') ],
				[ _('User name'), answer.username ],
				[ _('Valid until'), new Date(answer.until_ms).toLocaleDateString() ],
				[ _('Serial number'), [ E('code', { 'class': 'mqttguard-fingerprint' }, [ answer.serial ]) ] ]
			]),
			E('p', { 'class': 'mqttguard-buttons' }, [
				files.saver(_('Download the key'), name + '.key', answer.key, taken),
				files.saver(_('Download the certificate'), name + '.crt', answer.certificate)
			]),
			authority()
		], taken) };
	}
});
