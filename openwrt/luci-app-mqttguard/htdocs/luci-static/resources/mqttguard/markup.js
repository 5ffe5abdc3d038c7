'use strict';
'require baseclass';

/* Text as HTML, for the places where LuCI's forms take nothing else. */

const ENTITIES = { '&': '&#38;', '<': '&#60;', '>': '&#62;', '"': '&#34;', "'": '&#39;' };

const LOOKALIKES = { '<': '\u2039', '>': '\u203a', '&': '\uff06' };

function text(string) {
	return String(string).replace(/[&<>"']/g, (character) => ENTITIES[character]);
}

return baseclass.extend({
	text: text,

	/* Text in which `...` is code. */
	help(string) {
		return text(string).replace(/`([^`]*)`/g, '<code>$1</code>');
	},

	/* Text where LuCI takes tags and entities out and shows the rest as HTML: what could be either is
	 * written with signs that look like it. */
	inert(string) {
		return String(string).replace(/[<>&]/g, (character) => LOOKALIKES[character]);
	},

	/* The same where there is no HTML. */
	plain(string) {
		return String(string).replace(/`/g, '');
	},

	/* What the daemon found wrong in sections of a type. */
	mistakes(list) {
		const item = ({ name, index, title, option, what }) => '<li>' + [
			name != null ? name : index != null ? _('Number %d').format(index + 1) : null, title || option, what
		].filter((part) => part != null).map(text).join(': ') + '</li>';
		return list.length
			? '<ul class="mqttguard-mistakes">' + list.map(item).join('') + '</ul>' : '';
	}
});
