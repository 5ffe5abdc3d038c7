'use strict';
'require baseclass';
'require dom';
'require poll';
'require mqttguard.words as words';

/* What more than one page is made of.
 *
 * Names of devices, user names, topics and reasons come from the network. They go into the page as
 * text nodes alone: children of `E()` are always given as an array here, for LuCI takes a bare
 * string for HTML. */

return baseclass.extend({
	/* A page's outermost element, with the style that its parts need. */
	page(children) {
		return E('div', { 'class': 'mqttguard' }, [
			E('link', { 'rel': 'stylesheet', 'href': L.resource('mqttguard/style.css') })
		].concat(children));
	},

	/* A part of a page under a heading. */
	section(title, children) {
		return E('section', { 'class': 'cbi-section' }, [ E('h3', {}, [ title ]) ].concat(children));
	},

	/* Whether this session may change anything, and see what is private. */
	may() {
		return !!L.hasViewPermission();
	},

	/* What is told to those who may not, and nothing to the others. */
	guest() {
		return this.may() ? '' : E('p', { 'class': 'mqttguard-note' },
			[ _('You may look, but not change anything here.') ]);
	},

	/* Calls `ask` each so many seconds while the page is in view, and as soon as it is again. */
	follow(ask, seconds) {
		poll.add(() => document.hidden ? Promise.resolve() : ask(), seconds);
		document.addEventListener('visibilitychange', () => document.hidden || ask());
	},

	/* Replaces what is in `node`, if `data` is not what it was made of the last time. The focus stays
	 * on the control of the same `data-key`. */
	renew(node, data, make) {
		const made = JSON.stringify([ data ]);
		if (node.mqttguardMade === made)
			return;
		node.mqttguardMade = made;
		const key = node.contains(document.activeElement)
			? document.activeElement.getAttribute('data-key') : null;
		dom.content(node, make());
		this.focus(node, key);
	},

	/* Puts the focus on the control in `node` with this `data-key`; gives whether there is one. */
	focus(node, key) {
		const control = key && [ ...node.querySelectorAll('[data-key]') ]
			.find((one) => one.getAttribute('data-key') === key);
		if (control)
			control.focus();
		return !!control;
	},

	/* Makes the children of `node` be those of `items`, in their order, and makes anew only those
	 * that changed. An item is `[key, data, make]`. */
	keep(node, items) {
		const old = node.mqttguardKept || new Map(), kept = new Map();
		items.forEach(([ key, data, make ]) => {
			const made = JSON.stringify([ data ]), before = old.get(key);
			kept.set(key, before && before.made === made ? before : { made: made, node: make() });
		});
		const active = document.activeElement;
		const key = node.contains(active) ? active.getAttribute('data-key') : null;
		old.forEach((one, name) => kept.get(name) === one || one.node.remove());
		let at = node.firstChild;
		kept.forEach((one) => {
			if (one.node === at)
				at = at.nextSibling;
			else
				node.insertBefore(one.node, at);
		});
		if (key != null && document.activeElement !== active)
			this.focus(node, key);
		node.mqttguardKept = kept;
	},

	/* A device's state. */
	state(name) {
		const known = words.STATES.includes(name) ? ' ' + name : '';
		return E('span', { 'class': 'mqttguard-state' + known }, [ words.state(name) ]);
	},

	/* A button. `about` tells readers of the screen what it is for, where the label alone does not;
	 * `key` keeps the focus on it. While what it does is under way, as the promise of `handler` says, it
	 * shows that and does not do it again. */
	button(label, handler, { style = 'neutral', about = null, key = null, disabled = false } = {}) {
		let busy = false;
		const button = E('button', {
			'type': 'button',
			'class': 'btn cbi-button cbi-button-' + style,
			'aria-label': about ? label + ': ' + about : null,
			'data-key': key,
			'disabled': disabled ? '' : null,
			'click': (event) => {
				event.preventDefault();
				if (busy)
					return;
				const done = handler(event);
				if (!done || typeof(done.then) != 'function')
					return;
				const end = () => {
					busy = false;
					button.classList.remove('spinning');
					button.removeAttribute('aria-busy');
				};
				busy = true;
				button.classList.add('spinning');
				button.setAttribute('aria-busy', 'true');
				done.finally(end);
			}
		}, [ label ]);
		return button;
	},

	/* A link that looks like a button. */
	link(label, target, { style = 'neutral', about = null, key = null } = {}) {
		return E('a', {
			'class': 'btn cbi-button cbi-button-' + style, 'href': target,
			'aria-label': about ? label + ': ' + about : null, 'data-key': key
		}, [ label ]);
	},

	/* Where a page of this application is. */
	place(page, hash) {
		return L.url('admin/services/mqttguard/' + page) + (hash ? '#' + hash : '');
	},

	/* Terms with what is said of each; rows without a value are left out. */
	facts(rows) {
		return E('dl', { 'class': 'mqttguard-facts' }, rows
			.filter(([ , value ]) => value != null && value !== '')
			.flatMap(([ term, value ]) => [
				E('dt', {}, [ term ]), E('dd', {}, Array.isArray(value) ? value : [ value ])
			]));
	},

	/* A row of a table; `columns` are the headings, `names` what the cells are called in style sheets. */
	row(columns, cells, names = []) {
		return E('tr', { 'class': 'tr' }, cells.map((cell, at) =>
			E('td', { 'class': [ 'td', names[at] ].filter(Boolean).join(' '), 'data-title': columns[at] || null }, [ cell ])));
	},

	/* A table; `columns` are the headings, each row an array of cells. Without rows, a sentence. */
	table(columns, rows, empty) {
		if (!rows.length)
			return E('p', {}, [ E('em', {}, [ empty ]) ]);
		const head = E('tr', { 'class': 'tr table-titles' },
			columns.map((title) => E('th', { 'class': 'th', 'scope': 'col' }, [ title ])));
		return E('table', { 'class': 'table' }, [
			E('thead', {}, [ head ]), E('tbody', {}, rows.map((cells) => this.row(columns, cells)))
		]);
	},

	/* The row of a table that has no other. */
	empty(columns, text) {
		return E('tr', { 'class': 'tr placeholder' }, [
			E('td', { 'class': 'td', 'colspan': columns }, [ E('em', {}, [ text ]) ])
		]);
	},

	/* Counters by reason, as a table. */
	reasons(counters, empty) {
		const rows = Object.entries(counters || {}).sort((a, b) => b[1] - a[1])
			.map(([ reason, frames ]) => [ words.reason(reason), words.number(frames) ]);
		return this.table([ _('Why'), _('Frames') ], rows, empty);
	},

	/* That something is under way that takes its time. */
	waiting(text) {
		return E('p', { 'class': 'spinning', 'role': 'status' }, [ text ]);
	},

	/* Why there is nothing to show, with a way on where there is one. */
	failure(error) {
		return E('div', { 'class': 'alert-message warning', 'role': 'alert' }, [
			E('p', {}, [ this.reason(error) ]),
			error && error.stopped ? E('p', {}, [
				this.link(_('System, Startup'), L.url('admin/system/startup'), { key: 'startup' })
			]) : ''
		]);
	},

	/* What went wrong. LuCI's own calls fail with a number now and then. */
	reason(error) {
		return error && error.message || _('The router did not do it (ubus status %s).').format(error);
	}
});
