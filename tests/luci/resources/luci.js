'use strict';

/* A stand-in for LuCI's runtime, written for these tests after its documentation: only what the
 * views use, and with its traps, as that a child which is a bare string is taken for HTML. The tests
 * can be run on LuCI's own as well: see README.md. */

const dom = {
	elem: (node) => node != null && typeof(node) == 'object' && 'nodeType' in node,

	append(node, children) {
		if (Array.isArray(children))
			children.filter((child) => child != null).forEach((child) =>
				node.appendChild(dom.elem(child) ? child : document.createTextNode('' + child)));
		else if (dom.elem(children))
			node.appendChild(children);
		else if (children != null)
			node.innerHTML = '' + children;
		return node.lastChild;
	},

	content(node, children) {
		while (node.firstChild)
			node.removeChild(node.firstChild);
		return dom.append(node, children);
	},

	create(tag, attributes, children) {
		if (Array.isArray(tag))
			return dom.append(document.createDocumentFragment(), tag), tag;
		if (attributes == null || Array.isArray(attributes) || dom.elem(attributes) ||
		    typeof(attributes) != 'object')
			[ attributes, children ] = [ {}, attributes ];
		const node = document.createElement(tag);
		Object.entries(attributes).forEach(([ name, value ]) => {
			if (typeof(value) == 'function')
				node.addEventListener(name, value);
			else if (value != null)
				node.setAttribute(name, typeof(value) == 'object' ? JSON.stringify(value) : value);
		});
		dom.append(node, children);
		return node;
	}
};

function E(...args) {
	return dom.create(...args);
}

/* A class as LuCI has it: `extend` gives a constructor, `__init__` is what it runs. */
class BaseClass {
	constructor(...args) {
		this.__init__(...args);
	}

	__init__() {}

	static extend(properties) {
		const Extended = class extends this {};
		Object.entries(properties).forEach(([ name, value ]) =>
			Object.defineProperty(Extended.prototype, name, { value: value, writable: true }));
		return Extended;
	}
}

const poll = {
	tasks: [],
	tick: 0,
	timer: null,

	add(task, interval) {
		poll.tasks.push({ task: task, interval: interval || 5 });
	},

	remove(task) {
		poll.tasks = poll.tasks.filter((one) => one.task !== task);
	},

	start() {
		if (poll.timer == null)
			poll.timer = setInterval(() => {
				poll.tick += 1;
				poll.tasks.filter((one) => poll.tick % one.interval == 0).forEach((one) => one.task());
			}, 1000);
	}
};

const View = BaseClass.extend({
	__init__() {
		const place = document.getElementById('view');
		Promise.resolve(this.load()).then((data) => this.render(data)).then((nodes) => {
			dom.content(place, nodes);
			dom.append(place, this.footer());
			poll.start();
		}).catch((error) => {
			console.error(error);
		});
	},

	/* The buttons below a form, of those that the view has not set to null. */
	footer() {
		const readonly = [ ...document.querySelectorAll('#view .cbi-map') ].every((node) => node.formInstance.readonly);
		const button = (label, kind, handler) => E('button', {
			'class': 'cbi-button cbi-button-' + kind, 'disabled': readonly ? '' : null,
			/* What was wrong has been shown. */
			'click': (event) => this[handler](event, '0').catch(() => {})
		}, [ label ]);
		const buttons = [
			[ _('Save & Apply'), 'apply', 'handleSaveApply' ], [ _('Save'), 'save', 'handleSave' ],
			[ _('Reset'), 'reset', 'handleReset' ]
		].filter(([ , , handler ]) => this[handler]).map((args) => button(...args));
		return buttons.length ? E('div', { 'class': 'cbi-page-actions' }, buttons) : null;
	},

	handleSave() {
		return Promise.all([ ...document.querySelectorAll('#maincontent .cbi-map') ]
			.map((node) => node.formInstance.save()));
	},

	handleSaveApply(event, mode) {
		return this.handleSave(event).then(() => L.require('ui')).then((ui) => ui.changes.apply(mode == '0'), () => {});
	},

	handleReset() {
		return Promise.all([ ...document.querySelectorAll('#maincontent .cbi-map') ]
			.map((node) => node.formInstance.reset()));
	}
});

const REQUIRE = /^(?:'use strict';|'require +([\w.-]+)(?: +as +(\w+))?';|\s+|\/\*[^]*?\*\/|\/\/.*)/;

class LuCI {
	constructor(env) {
		this.env = env;
		this.classes = {
			baseclass: Promise.resolve(BaseClass), dom: Promise.resolve(dom),
			poll: Promise.resolve(poll), view: Promise.resolve(View)
		};
	}

	require(name) {
		if (!Object.hasOwn(this.classes, name))
			this.classes[name] = this.load(name);
		return this.classes[name];
	}

	/* Fetches a class, then what it requires, and makes the one instance of it. */
	async load(name) {
		const response = await fetch(this.resource(name.replace(/\./g, '/') + '.js'));
		if (!response.ok)
			throw new Error(`HTTP error ${response.status} while loading class ${name}`);
		const source = await response.text(), names = [], wanted = [];
		for (let rest = source, match; (match = REQUIRE.exec(rest)); rest = rest.slice(match[0].length))
			if (match[1]) {
				wanted.push(this.require(match[1]));
				names.push(match[2] || match[1].replace(/\W/g, '_'));
			}
		const factory = (0, eval)(
			`(function(window, document, L, ${names.join(', ')}) { ${source} })\n//# sourceURL=${response.url}`);
		return new (factory(window, document, this, ...await Promise.all(wanted)))();
	}

	resource(path) {
		return this.env.resource + '/' + path;
	}

	url(path) {
		return this.env.scriptname + '/' + path;
	}

	/* Whether the session may change what the page shows. */
	hasViewPermission() {
		return !!this.env.nodespec.satisfied && !this.env.nodespec.readonly;
	}

	isObject(value) {
		return value != null && typeof(value) == 'object';
	}

	resolveDefault(promise, value) {
		return promise.catch(() => value);
	}
}

window.L = null;
