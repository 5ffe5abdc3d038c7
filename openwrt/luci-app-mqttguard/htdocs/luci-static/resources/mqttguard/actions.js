'use strict';
'require baseclass';
'require dom';
'require ui';
'require mqttguard.api as api';
'require mqttguard.parts as parts';
'require mqttguard.words as words';

/* What the owner can do, each with its dialog. `done` is called when it was done, so that the page
 * shows it. */

/* For how long unencrypted MQTT can be let out, in seconds. */
const TIMES = [ 3600, 86400, 7 * 86400, 30 * 86400 ];

let number = 0;

/* A labelled field of a dialog. */
function field(label, control, help) {
	const id = 'mqttguard-field-' + ++number;
	control.id = id;
	if (help)
		control.setAttribute('aria-describedby', id + '-help');
	return E('div', { 'class': 'cbi-value' }, [
		E('label', { 'class': 'cbi-value-title', 'for': id }, [ label ]),
		E('div', { 'class': 'cbi-value-field' }, [
			control,
			help ? E('div', { 'class': 'cbi-value-description', 'id': id + '-help' }, [ help ]) : ''
		])
	]);
}

function text(attributes) {
	return E('input', Object.assign({
		'type': 'text', 'class': 'cbi-input-text', 'autocomplete': 'off', 'spellcheck': 'false'
	}, attributes));
}

/* Shows a dialog; keyboards find their way in, out and back. */
function show(title, children) {
	const before = document.activeElement;
	const dialog = ui.showModal([ title ], children);
	dialog.classList.add('mqttguard');
	dialog.setAttribute('role', 'dialog');
	dialog.setAttribute('aria-modal', 'true');
	dialog.setAttribute('aria-label', title);
	const first = dialog.querySelector('input, select, button');
	if (first)
		first.focus();
	dialog.onkeydown = (event) => {
		if (event.key == 'Escape')
			close(before);
	};
	return before;
}

/* LuCI only hides a dialog; a password is not left in the page. */
function close(before) {
	ui.hideModal();
	document.querySelectorAll('.modal.mqttguard').forEach((dialog) => dom.content(dialog, null));
	if (before && before.isConnected)
		before.focus();
}

/* A dialog that asks before `act` is called. What goes wrong is told in it. */
function ask(title, children, label, style, act) {
	const trouble = E('div', { 'aria-live': 'assertive' });
	let before = null;
	const confirm = parts.button(label, () => {
		confirm.disabled = true;
		dom.content(trouble, null);
		return Promise.resolve(act()).then(
			(shown) => shown || close(before),
			(error) => {
				confirm.disabled = false;
				dom.content(trouble, parts.failure(error));
			});
	}, { style: style });
	before = show(title, children.concat([
		trouble,
		E('div', { 'class': 'right' }, [
			parts.button(_('Cancel'), () => close(before)), ' ', confirm
		])
	]));
}

/* Tells what came of it, and of what did not reach the disk. */
function told(message, answer) {
	ui.addNotification(null, [ E('p', { 'role': 'status' }, [ message ]) ], 'info');
	if (answer.warning)
		ui.addNotification(null, [ E('p', { 'role': 'alert' }, [ answer.warning ]) ], 'warning');
}

function credential(answer) {
	const secret = (value) => E('code', { 'class': 'mqttguard-secret' }, [ value ]);
	const before = show(_('Credential for %s').format(answer.name || answer.mac), [
		E('p', {}, [ _('Put this into the settings of the device. The password is shown only now.') ]),
		parts.facts([
			[ _('Server'), answer.address || answer.server ],
			[ _('Port (TLS)'), answer.port ],
			[ _('User name'), [ secret(answer.username) ] ],
			[ _('Password'), [ secret(answer.password) ] ],
			[ _('Profile'), answer.profile ]
		]),
		answer.warning ? E('p', { 'class': 'alert-message warning' }, [ answer.warning ]) : '',
		E('div', { 'class': 'right' }, [
			parts.button(_('I have put it into the device'), () => close(before), { style: 'positive' })
		])
	]);
}

return baseclass.extend({
	/* Gives a device a credential of its own, and shows it once. */
	enrol(device, done) {
		const username = text({ 'placeholder': _('made from the name') });
		const profile = text({ 'placeholder': device.profile || 'default' });
		ask(_('Enrol %s').format(device.name || device.mac), [
			E('p', {}, [ device.username
				? _('The device gets a new password. The one that it has is refused from then on.')
				: _('The device gets a user name and a password of its own for the broker on this router.') ]),
			field(_('User name'), username, _('Leave it empty unless the device demands one.')),
			field(_('Profile'), profile, _('What topics it may use.'))
		], _('Enrol'), 'positive', () =>
			api.enrol(device.mac, profile.value.trim(), username.value.trim()).then((answer) => {
				credential(answer);
				done();
				return true;
			}));
	},

	/* Lets a device's unencrypted MQTT to one destination out for a time. */
	allow(device, destination, port, done) {
		const time = E('select', { 'class': 'cbi-input-select' }, TIMES.map((seconds) =>
			E('option', { 'value': seconds, 'selected': seconds == 86400 ? '' : null },
				[ words.span(seconds) ])));
		const name = device.name || device.mac;
		ask(_('Allow this for %s').format(name), [
			E('p', {}, [ _('%s may then send unencrypted MQTT to %s. Whoever is on the way can read and change it.')
				.format(name, words.destination(destination, port)) ]),
			field(_('For'), time)
		], _('Allow'), 'negative', () =>
			api.allow(device.mac, destination, port, Number(time.value)).then((answer) => {
				told(_('%s may send unencrypted MQTT until %s.')
					.format(name, words.time(answer.until_ms)), answer);
				done();
			}));
	},

	/* Takes such a permission back. */
	disallow(exception, done) {
		return api.disallow(exception.mac, exception.destination, exception.port).then((answer) => {
			told(_('%s may not send it any more.').format(exception.name || exception.mac), answer);
			done();
		}, this.failed);
	},

	/* Cuts a device off from MQTT for good. */
	block(device, done) {
		const why = text({ 'maxlength': 200 });
		ask(_('Block %s').format(device.name || device.mac), [
			E('p', {}, [ _('Nothing that the device sends passes the router any more, until you unblock it.') ]),
			field(_('Why'), why, _('A note for yourself.'))
		], _('Block'), 'negative', () =>
			api.block(device.mac, why.value.trim()).then((answer) => {
				told(_('%s is blocked.').format(device.name || device.mac), answer);
				done();
			}));
	},

	/* Ends a block or a quarantine. */
	unblock(device, done) {
		return api.unblock(device.mac).then((answer) => {
			told(_('%s is free again.').format(device.name || device.mac), answer);
			done();
		}, this.failed);
	},

	/* Tells of what could not be done. */
	failed(error) {
		ui.addNotification(null, [ E('p', { 'role': 'alert' }, [ error.message ]) ], 'danger');
	}
});
