'use strict';
'require baseclass';
'require dom';
'require ui';
'require mqttguard.parts as parts';

/* Dialogs that a keyboard finds its way into, around in, and out of; and what is told afterwards. */

const FOCUSABLE = 'a[href], button:not([disabled]), input:not([disabled]), select:not([disabled]), ' +
	'textarea:not([disabled]), summary, [tabindex="0"]';

let number = 0;
/* What had the focus before the dialog that is open, and its `data-key`; null if none is open. */
let origin = null;

function controls(dialog) {
	return [ ...dialog.querySelectorAll(FOCUSABLE) ].filter((one) => one.getClientRects().length);
}

/* Puts the focus on what had it; on what is there in its place, if it is gone; or on the top. */
function back(node, key) {
	const page = document.getElementById('view') || document.body;
	const top = page.querySelector('h2[tabindex]');
	if (node && node.isConnected)
		node.focus();
	else if (!parts.focus(page, key) && top)
		top.focus();
}

return baseclass.extend({
	/* A labelled field of a dialog. */
	field(label, control, help) {
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
	},

	/* A line to type into. */
	text(attributes) {
		return E('input', Object.assign({
			'type': 'text', 'class': 'cbi-input-text', 'autocomplete': 'off', 'spellcheck': 'false'
		}, attributes));
	},

	/* One of `[value, title]`. */
	choice(options, chosen) {
		return E('select', { 'class': 'cbi-input-select' }, options.map(([ value, title ]) =>
			E('option', { 'value': value, 'selected': value === chosen ? '' : null }, [ title ])));
	},

	/* Shows a dialog. What it gives closes it, and puts the focus back to where it was. `firm` is not
	 * closed by a slip: what it shows would be lost. */
	show(title, children, { firm = false } = {}) {
		const active = document.activeElement;
		origin = origin || { node: active, key: active && active.getAttribute('data-key') };
		const dialog = ui.showModal([ title ], children);
		const heading = dialog.querySelector('h4');
		heading.id = 'mqttguard-dialog-title';
		dialog.classList.add('mqttguard');
		dialog.setAttribute('role', 'dialog');
		dialog.setAttribute('aria-modal', 'true');
		dialog.setAttribute('aria-labelledby', heading.id);
		const close = () => {
			/* LuCI only hides a dialog; a password is not left in the page. */
			ui.hideModal();
			dialog.onkeydown = null;
			dialog.classList.remove('mqttguard');
			dom.content(dialog, null);
			const { node, key } = origin || {};
			origin = null;
			back(node, key);
		};
		dialog.onkeydown = (event) => {
			if (event.key == 'Escape') {
				event.stopPropagation();
				if (!firm)
					close();
			}
			else if (event.key == 'Tab') {
				const all = controls(dialog), first = all[0], last = all[all.length - 1];
				const end = event.shiftKey ? first : last;
				if (document.activeElement === end || !dialog.contains(document.activeElement)) {
					event.preventDefault();
					(event.shiftKey ? last : first).focus();
				}
			}
		};
		const first = dialog.querySelector('input, select') || controls(dialog)[0];
		if (first)
			first.focus();
		return close;
	},

	/* A dialog that asks before `act` is called. What goes wrong is told in it. Where `act` gives
	 * true, it has shown another in its place. */
	ask(title, children, label, style, act) {
		const trouble = E('div', { 'aria-live': 'assertive' });
		let close = null;
		const confirm = parts.button(label, () => {
			confirm.disabled = true;
			dom.content(trouble, null);
			return Promise.resolve().then(act).then(
				(replaced) => replaced === true || close(),
				(error) => {
					confirm.disabled = false;
					dom.content(trouble, [ parts.failure(error) ]);
					confirm.focus();
				});
		}, { style: style });
		close = this.show(title, children.concat([
			trouble,
			E('div', { 'class': 'right' }, [
				parts.button(_('Cancel'), () => close()), ' ', confirm
			])
		]));
	},

	/* Tells what came of it, and of what did not reach the disk. `undo` is what takes it back. */
	told(message, answer, undo) {
		const note = ui.addNotification(null, [
			E('p', { 'role': 'status' }, [ message ]),
			undo ? E('p', {}, [ parts.button(_('Undo'), () => {
				note.remove();
				return Promise.resolve().then(undo).catch(this.failed);
			}, { about: message }) ]) : ''
		], 'info');
		if (answer && answer.warning)
			ui.addNotification(null, [ E('p', { 'role': 'alert' }, [ answer.warning ]) ], 'warning');
	},

	/* Tells of what could not be done. */
	failed(error) {
		ui.addNotification(null, [ E('p', { 'role': 'alert' }, [ parts.reason(error) ]) ], 'danger');
	}
});
