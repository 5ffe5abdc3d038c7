'use strict';
'require baseclass';
'require dom';

const overlay = E('div', { 'id': 'modal_overlay', 'tabindex': -1 }, [
	E('div', { 'class': 'modal' })
]);
document.body.appendChild(overlay);

/* A step of putting the configuration into force, at LuCI's dispatcher. */
async function step(name) {
	const response = await fetch(L.url('admin/uci/' + name), { method: 'POST' });
	if (!response.ok)
		throw new Error(`HTTP error ${response.status} at ${name}`);
}

return baseclass.extend({
	changes: {
		/* Puts what is staged into force, and shows the page anew. */
		async apply(checked) {
			await step(checked ? 'apply_rollback' : 'apply_unchecked');
			await step('confirm');
			window.location = window.location.href.split('#')[0];
		}
	},

	instantiateView(path) {
		return L.require('view.' + path.replace(/\//g, '.')).catch((error) => console.error(error));
	},

	showModal(title, children, ...classes) {
		const dialog = overlay.firstElementChild;
		dialog.setAttribute('class', [ 'modal', ...classes ].join(' '));
		dom.content(dialog, E('h4', {}, title));
		dom.append(dialog, children);
		document.body.classList.add('modal-overlay-active');
		overlay.focus();
		return dialog;
	},

	hideModal() {
		document.body.classList.remove('modal-overlay-active');
	},

	addNotification(title, children, ...classes) {
		const note = E('div', { 'class': [ 'alert-message', ...classes ].join(' ') }, [ E('div') ]);
		if (title != null)
			dom.append(note.firstElementChild, E('h4', {}, title));
		dom.append(note.firstElementChild, children);
		note.appendChild(E('button', { 'class': 'btn', 'click': () => note.remove() }, [ _('Dismiss') ]));
		document.getElementById('maincontent').prepend(note);
		return note;
	}
});
