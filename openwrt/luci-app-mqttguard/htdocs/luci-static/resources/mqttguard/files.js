'use strict';
'require baseclass';
'require mqttguard.parts as parts';

/* Texts that leave the page: as a file, or by way of the clipboard. */

/* Copies, also where the page came without TLS and the browser's clipboard is closed to it: then from a
 * field that is in the page no longer than that takes. */
function copy(text) {
	if (navigator.clipboard && window.isSecureContext)
		return navigator.clipboard.writeText(text);
	const before = document.activeElement;
	const field = E('textarea', { 'class': 'mqttguard-aside', 'aria-hidden': 'true', 'tabindex': -1 });
	field.value = text;
	document.body.appendChild(field);
	field.select();
	const done = document.execCommand('copy');
	field.value = '';
	field.remove();
	if (before)
		before.focus();
	return done ? Promise.resolve() : Promise.reject(new Error(_('Your browser does not let the page copy. Mark the text and copy it yourself.')));
}

return baseclass.extend({
	/* Gives a text to the browser as a file. Its address is good for this once. */
	save(name, text) {
		const url = URL.createObjectURL(new Blob([ text ], { type: 'application/octet-stream' }));
		const link = E('a', { 'href': url, 'download': name });
		document.body.appendChild(link);
		link.click();
		link.remove();
		setTimeout(() => URL.revokeObjectURL(url), 1000);
	},

	/* A button that does so. */
	saver(label, name, text, done) {
		return parts.button(label, () => {
			this.save(name, text);
			if (done)
				done();
		}, { style: 'action' });
	},

	/* A button that copies a text; `about` tells readers of the screen which. */
	copier(text, about, done) {
		const said = E('span', { 'role': 'status' });
		const button = parts.button(_('Copy'), () => copy(text).then(() => {
			said.textContent = _('Copied.');
			if (done)
				done();
		}, (error) => {
			said.textContent = error.message;
		}), { about: about });
		return E('span', { 'class': 'mqttguard-buttons' }, [ button, said ]);
	}
});
