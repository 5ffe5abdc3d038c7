'use strict';
'require baseclass';
'require dom';
'require mqttguard.parts as parts';
'require mqttguard.words as words';

/* An hour of a counter or a gauge, a bar a minute. Who does not see it has its sum as a sentence, and
 * the minutes as a table on demand. */

const SVG = 'http://www.w3.org/2000/svg';
/* The drawing's own measures: a bar and the gap after it, and its height. */
const STEP = 5;
const BAR = 4;
const HEIGHT = 40;

function svg(tag, attributes, children = []) {
	const node = document.createElementNS(SVG, tag);
	Object.entries(attributes).forEach(([ name, value ]) => node.setAttribute(name, value));
	children.forEach((child) => node.appendChild(child));
	return node;
}

function bars(values, top, tell) {
	return values.map((value, at) => {
		const height = value ? Math.max(1, HEIGHT * value / top) : 0;
		const title = svg('title', {});
		title.textContent = tell(at);
		/* The bare column is there for the pointer: it finds the time of a minute without any. */
		return svg('g', {}, [
			title,
			svg('rect', { 'class': 'column', x: at * STEP, y: 0, width: STEP, height: HEIGHT }),
			svg('rect', { 'class': 'bar', x: at * STEP, y: HEIGHT - height, width: BAR, height: height })
		]);
	});
}

const Graph = baseclass.extend({
	/* `name` is what the counter is called in the page's source, `tone` how it is coloured: `bad`,
	 * `good` or none. A gauge shows what is, and at most was; a counter what came together. */
	__init__(name, title, { tone = '', gauge = false, write = (value) => words.number(value) } = {}) {
		Object.assign(this, { title: title, gauge: gauge, write: write });
		this.number = E('dd', { 'data-counter': name });
		this.says = E('span', { 'class': 'mqttguard-says' });
		this.drawing = E('div', { 'class': 'mqttguard-drawing', 'aria-hidden': 'true' });
		this.minutes = E('div');
		this.details = E('details', { 'toggle': () => this.table() }, [
			E('summary', { 'aria-label': _('%s, minute by minute').format(title) }, [ _('Minute by minute') ]),
			this.minutes
		]);
		this.node = E('div', { 'class': 'mqttguard-graph ' + tone }, [
			E('dl', {}, [ E('dt', {}, [ title ]), this.number ]),
			this.drawing, this.says, this.details
		]);
	},

	/* Shows values, the oldest first; the last is of the running minute, which ends at `until`. */
	show(values, until, step) {
		Object.assign(this, { values: values, until: until, step: step });
		parts.renew(this.drawing, [ values, Math.floor(until / 1000) ], () => this.draw());
		const top = Math.max(0, ...values), sum = values.reduce((a, b) => a + b, 0);
		const now = values.length ? values[values.length - 1] : 0;
		const when = words.minute(this.time(values.lastIndexOf(top)));
		const number = this.write(this.gauge ? now : sum);
		const says = top
			? this.gauge
				? _('At most %s, at %s').format(this.write(top), when)
				: _('Most in a minute: %s, at %s').format(this.write(top), when)
			: _('None within the last hour');
		if (this.number.textContent != number)
			dom.content(this.number, [ number ]);
		if (this.says.textContent != says)
			dom.content(this.says, [ says ]);
		this.table();
	},

	/* When the minute at this place began. */
	time(at) {
		return this.until - (this.values.length - at) * this.step * 1000;
	},

	draw() {
		const { values } = this, top = Math.max(1, ...values);
		return [ svg('svg', {
			viewBox: `0 0 ${STEP * values.length} ${HEIGHT}`, preserveAspectRatio: 'none', focusable: 'false'
		}, bars(values, top, (at) => `${words.minute(this.time(at))}: ${this.write(values[at])}`)),
		E('span', {}, [ _('an hour ago') ]), E('span', {}, [ _('now') ]) ];
	},

	table() {
		if (!this.details.open || !this.values)
			return;
		parts.renew(this.minutes, [ this.values, Math.floor(this.until / 60000) ], () => {
			const rows = this.values
				.map((value, at) => [ words.minute(this.time(at)), value ])
				.filter(([ , value ]) => value).reverse()
				.map(([ time, value ]) => [ time, this.write(value) ]);
			return parts.table([ _('Minute'), this.title ], rows, _('None within the last hour'));
		});
	}
});

return baseclass.extend({
	/* A graph, to be shown in a node of its own: `new` of it. */
	Graph: Graph,

	/* Graphs side by side. `graphs` are what `history` names its series, with what Graph takes. */
	row(graphs) {
		const all = Object.entries(graphs).map(([ name, args ]) => [ name, new Graph(name, ...args) ]);
		return {
			node: E('div', { 'class': 'mqttguard-graphs' }, all.map(([ , one ]) => one.node)),
			show: ({ series, until_ms, step_s }) => all.forEach(([ name, one ]) =>
				one.show((series && series[name]) || [], until_ms, step_s))
		};
	}
});
