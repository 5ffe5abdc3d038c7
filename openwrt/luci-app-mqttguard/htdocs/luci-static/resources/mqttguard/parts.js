'use strict';
'require baseclass';
'require dom';
'require mqttguard.words as words';

/* What more than one page is made of.
 *
 * Names of devices, user names, topics and reasons come from the network. They go into the page as
 * text nodes alone: children of `E()` are always given as an array here, for LuCI takes a bare
 * string for HTML. */

const SVG = 'http://www.w3.org/2000/svg';
/* Where a tab keeps what it has seen of the counters. */
const HISTORY = 'mqttguard.history';
/* How far back that goes, and the least time between two samples, in milliseconds. */
const HOUR = 3600 * 1000;
const STEP = 15 * 1000;

function svg(tag, attributes, children) {
	const node = document.createElementNS(SVG, tag);
	Object.entries(attributes).forEach(([ name, value ]) => node.setAttribute(name, value));
	(children || []).forEach((child) => node.appendChild(child));
	return node;
}

/* A counter's growth from sample to sample, as a line; '' while there are too few. */
function growth(history, name) {
	const steps = history.slice(1).map((sample, at) =>
		Math.max(0, sample[name] - history[at][name]));
	if (steps.length < 2)
		return '';
	const top = Math.max(1, ...steps), width = steps.length - 1;
	const points = steps.map((step, at) => `${100 * at / width},${23 - 22 * step / top}`);
	return svg('svg', { viewBox: '0 0 100 24', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
		[ svg('polyline', { points: points.join(' ') }) ]);
}

return baseclass.extend({
	/* A page's outermost element, with the style that its parts need. */
	page(children) {
		return E('div', { 'class': 'mqttguard' }, [
			E('link', { 'rel': 'stylesheet', 'href': L.resource('mqttguard/style.css') })
		].concat(children));
	},

	/* Replaces what is in `node`, if `data` is not what it was made of the last time. The focus stays
	 * on the control of the same `data-key`. */
	renew(node, data, make) {
		const made = JSON.stringify(data);
		if (node.mqttguardMade === made)
			return;
		node.mqttguardMade = made;
		const focused = node.contains(document.activeElement)
			? document.activeElement.getAttribute('data-key') : null;
		dom.content(node, make());
		if (focused) {
			const again = [ ...node.querySelectorAll('[data-key]') ]
				.find((one) => one.getAttribute('data-key') === focused);
			if (again)
				again.focus();
		}
	},

	/* A device's state. */
	state(name) {
		const known = words.STATES.includes(name) ? ' ' + name : '';
		return E('span', { 'class': 'mqttguard-state' + known }, [ words.state(name) ]);
	},

	/* A button. `about` tells readers of the screen what it is for, where the label alone does not;
	 * `key` keeps the focus on it. */
	button(label, handler, { style = 'neutral', about = null, key = null, disabled = false } = {}) {
		return E('button', {
			'type': 'button',
			'class': 'btn cbi-button cbi-button-' + style,
			'aria-label': about ? label + ': ' + about : null,
			'data-key': key,
			'disabled': disabled ? '' : null,
			'click': (event) => {
				event.preventDefault();
				return handler(event);
			}
		}, [ label ]);
	},

	/* Terms with what is said of each; rows without a value are left out. */
	facts(rows) {
		return E('dl', { 'class': 'mqttguard-facts' }, rows
			.filter(([ , value ]) => value != null && value !== '')
			.flatMap(([ term, value ]) => [
				E('dt', {}, [ term ]), E('dd', {}, Array.isArray(value) ? value : [ value ])
			]));
	},

	/* A table; `columns` are the headings, each row an array of cells. */
	table(columns, rows, empty) {
		const head = E('tr', { 'class': 'tr table-titles' },
			columns.map((title) => E('th', { 'class': 'th', 'scope': 'col' }, [ title ])));
		const body = rows.map((cells) => E('tr', { 'class': 'tr' }, cells.map((cell, at) =>
			E('td', { 'class': 'td', 'data-title': columns[at] }, [ cell ]))));
		if (!body.length)
			body.push(E('tr', { 'class': 'tr placeholder' }, [
				E('td', { 'class': 'td', 'colspan': columns.length }, [ E('em', {}, [ empty ]) ])
			]));
		return E('table', { 'class': 'table' }, [ E('thead', {}, [ head ]), E('tbody', {}, body) ]);
	},

	/* Counters by reason, as a table. */
	reasons(counters, empty) {
		const rows = Object.entries(counters || {}).sort((a, b) => b[1] - a[1])
			.map(([ reason, frames ]) => [ words.reason(reason), words.number(frames) ]);
		return this.table([ _('Why'), _('Frames') ], rows, empty);
	},

	/* Events, each with the buttons that `actions` gives for it. */
	events(events, actions) {
		if (!events.length)
			return E('p', {}, [ E('em', {}, [ _('Nothing has happened yet.') ]) ]);
		return E('ul', { 'class': 'mqttguard-events' }, events.map((event) =>
			E('li', { 'class': event.severity == 'warning' ? 'warning' : '' }, [
				E('time', { 'datetime': new Date(event.time_ms).toISOString() },
					[ words.time(event.time_ms) ]),
				E('span', { 'class': 'message' }, [
					words.event(event),
					event.times > 1 ? ' ' + N_(event.times, '(%d time)', '(%d times)').format(event.times) : ''
				]),
				E('span', { 'class': 'mqttguard-buttons' }, actions ? actions(event) : [])
			])));
	},

	/* Numbers with their names, and how they grew while this tab was open. `tiles` are
	 * `[name, title, value]`. */
	tiles(tiles, history) {
		return E('dl', { 'class': 'mqttguard-tiles' }, tiles.map(([ name, title, value ]) =>
			E('div', { 'class': 'mqttguard-tile' }, [
				E('dt', {}, [ title ]),
				E('dd', { 'data-counter': name }, [ words.number(value) ]),
				growth(history, name)
			])));
	},

	/* Adds counters to those that this tab has seen over the last hour, and gives them all. */
	remember(counters) {
		const now = Date.now();
		let history = [];
		try {
			history = JSON.parse(sessionStorage.getItem(HISTORY)) || [];
		}
		catch (error) {
			/* Somebody else's, or none: it begins anew. */
		}
		history = history.filter((sample) => sample.at > now - HOUR && sample.at <= now);
		const last = history[history.length - 1];
		/* A daemon that was started again counts from zero. */
		if (last && Object.keys(counters).some((name) => counters[name] < last[name]))
			history = [];
		if (!last || now - last.at >= STEP)
			history.push(Object.assign({ at: now }, counters));
		try {
			sessionStorage.setItem(HISTORY, JSON.stringify(history));
		}
		catch (error) {
			/* A browser that keeps nothing shows no line. */
		}
		return history;
	},

	/* Why there is nothing to show. */
	failure(error) {
		return E('div', { 'class': 'alert-message warning', 'role': 'alert' }, [
			E('p', {}, [ error.message ])
		]);
	}
});
