'use strict';
'require baseclass';
'require form';
'require uci';
'require mqttguard.kinds as kinds';
'require mqttguard.markup as markup';
'require mqttguard.options as options';
'require mqttguard.titles as titles';

/* The form over /etc/config/mqttguard, made from the daemon's own table of options. Titles and
 * descriptions of LuCI's forms are HTML: all text goes through `markup`. */

const CONFIG = 'mqttguard';

/* Sections of a type that there are to refer to, in the file or built in. */
function known(type) {
	const section = options.SECTIONS.find((one) => one.kind == type);
	const names = uci.sections(CONFIG, type).filter((one) => !one['.anonymous']).map((one) => one['.name']);
	return [ ...new Set(Object.keys(section.builtin).concat(names)) ];
}

/* What holds if a section says nothing: of a built-in one its own value. */
function otherwise(section, option, id) {
	const builtin = Object.hasOwn(section.builtin, id) ? section.builtin[id] : {};
	return Object.hasOwn(builtin, option.name) ? builtin[option.name]
		: option.default != null ? option.default : option.means ? option.means() : null;
}

/* A choice that leaves the option out comes first, and what the file has comes last if it is not among
 * those that are known: the daemon will complain of it, and it is not to be lost here unseen. */
function choose(element, section, option, id, words) {
	const now = uci.get(CONFIG, id, option.name);
	element.keylist = null;
	element.vallist = null;
	element.choices = null;
	const absent = otherwise(section, option, id);
	if (!option.required)
		element.value('', titles.absent(option.name) || (absent == null ? _('not given') : _('%s, by default').format(
			words.includes(absent) ? titles.word(option.name, absent) : markup.plain(absent))));
	words.forEach((word) => element.value(word, titles.word(option.name, word)));
	if (typeof(now) == 'string' && !words.includes(now))
		element.value(now);
}

/* What all kinds of control have in common. */
function properties(section, option) {
	return {
		load(id) {
			const absent = otherwise(section, option, id);
			if (absent != null)
				this.placeholder = markup.plain(absent);
			if (option.value.type == 'choice')
				choose(this, section, option, id, option.value.words);
			if (option.value.type == 'reference')
				choose(this, section, option, id, known(option.value.to));
			const value = uci.get(CONFIG, id, option.name);
			return option.list && value != null ? [].concat(value) : value;
		},

		/* LuCI asks for each item of a list on its own, and for an empty text if it has none. */
		validate(id, value) {
			const wrong = [].concat(value == null ? [] : value).find((one) => one !== '' && !kinds.accepts(option, one));
			return wrong == null || _('found %s, expected %s').format(wrong, option.expected());
		}
	};
}

const Flag = (section, option) => form.Flag.extend({
	load(id) {
		const value = uci.get(CONFIG, id, option.name);
		/* A word that is none of the daemon's is its default here, and the daemon's to complain of. */
		return value == null || !kinds.accepts(option, value) ? null : kinds.isYes(value) ? '1' : '0';
	},

	/* LuCI's label is for an id that its checkbox does not have. */
	render(...args) {
		return this.super('render', args).then((node) => {
			const box = node.querySelector('input[type=checkbox]');
			if (box)
				box.setAttribute('aria-label', titles.option(section.kind, option.name) || option.name);
			return node;
		});
	},

	/* What the file says already stays as it is written there. */
	write(id, value) {
		if (this.cfgvalue(id) !== value)
			return uci.set(CONFIG, id, option.name, value);
	},

	remove(id) {
		if (this.cfgvalue(id) != null && this.cfgvalue(id) !== this.default)
			return uci.unset(CONFIG, id, option.name);
	}
});

function control(section, option) {
	switch (option.list ? 'list' : option.value.type) {
	case 'bool':
		return Flag(section, option);
	case 'choice':
	case 'reference':
		return form.ListValue.extend(properties(section, option));
	case 'list':
		return form.DynamicList.extend(properties(section, option));
	default:
		return form.Value.extend(properties(section, option));
	}
}

/* The tab of a section that an option is in; the one that lists none takes the rest. */
function tabOf(tabs, name) {
	return (tabs.find(([ , , names ]) => names.includes(name)) || tabs.find(([ , , names ]) => !names.length))[0];
}

function add(element, section, about, option) {
	const title = markup.text(titles.option(section.kind, option.name) || option.name);
	const help = markup.help(option.help()) + (option.value.type == 'bool' || option.value.type == 'choice' ||
		option.value.type == 'reference' ? '' : ' ' + markup.help(_('Expected: %s.').format(option.expected())));
	const args = [ control(section, option), option.name, title, help ];
	const added = about.tabs
		? element.taboption(tabOf(about.tabs, option.name), ...args) : element.option(...args);
	/* False would keep it out of the dialog. */
	added.modalonly = about.columns && !about.columns.includes(option.name) ? true : null;
	if (option.value.type == 'bool')
		added.default = kinds.isYes(option.default) ? '1' : '0';
	if (option.required)
		added.rmempty = false;
	[].concat((about.depends || {})[option.name] || []).forEach((all) => added.depends(all));
}

/* Options in the order of the table, but those of the columns first. */
function ordered(section, about) {
	const first = (about.columns || (about.tabs || []).flatMap(([ , , names ]) => names));
	const rank = (option) => first.includes(option.name) ? first.indexOf(option.name) : first.length;
	return section.options.slice().sort((a, b) => rank(a) - rank(b));
}

function build(map, section, mistakes) {
	const about = titles.section(section.kind), title = about.title();
	const builtin = section.only ? [] : Object.keys(section.builtin);
	const help = markup.help(section.help) + (builtin.length ? ' ' + markup.help(
		_('Built in: %s. To change one, add a section of its name: what you leave empty there stays as it is.')
			.format(builtin.map((name) => '`' + name + '`').join(', '))) : '') + markup.mistakes(mistakes);
	let element;
	if (section.only) {
		element = map.section(form.NamedSection, section.only, section.kind, title, help);
		element.addremove = section.kind != CONFIG;
	}
	else {
		element = map.section(form.GridSection, section.kind, title, help);
		element.addremove = true;
		element.anonymous = !section.named;
		element.nodescriptions = true;
		element.addbtntitle = about.add ? about.add() : _('Add');
		element.modaltitle = (id) => title + ': ' + markup.inert(called(id));
		if (!section.named)
			element.sectiontitle = (id) => markup.inert(called(id));
	}
	(about.tabs || []).forEach(([ name, tab ]) => element.tab(name, tab()));
	ordered(section, about).forEach((option) => add(element, section, about, option));
	return element;
}

/* What a section is called: its name, or that of what it is about. */
function called(id) {
	const values = uci.get(CONFIG, id) || {};
	return !values['.anonymous'] ? id : values.name || values.mac || values.destination || _('new');
}

return baseclass.extend({
	CONFIG: CONFIG,

	/* The form. `mistakes` are the daemon's, each with the `kind` and `name` of its section. */
	map(mistakes) {
		/* An empty file is a good one, but LuCI shows no section that is not there. */
		if (!uci.get(CONFIG, 'main'))
			uci.add(CONFIG, CONFIG, 'main');
		const map = new form.Map(CONFIG), render = map.renderContents;
		map.tabbed = true;
		/* LuCI leaves these without a name. */
		map.renderContents = (...args) => render.apply(map, args).then((node) => {
			node.querySelectorAll('.cbi-section-create-name').forEach((input) => {
				input.setAttribute('aria-label', _('Name of the new section'));
				input.setAttribute('placeholder', _('name'));
			});
			return node;
		});
		options.SECTIONS.slice()
			.sort((a, b) => titles.ORDER.indexOf(a.kind) - titles.ORDER.indexOf(b.kind))
			.forEach((section) => build(map, Object.assign({}, section, { help: section.help() }),
				mistakes.filter((one) => one.kind == section.kind)));
		return map;
	},

	/* Takes a line of the daemon's apart: `FILE:LINE: KIND 'NAME': option OPTION: WHAT`. */
	mistake(line) {
		const match = /^(?:[^:]*:(?:\d+:)?) (\w+) (?:'([^']*)'|@\w+\[(\d+)\]): (?:option (\w+): )?(.*)$/.exec(line);
		if (!match)
			return { what: line };
		const [ , kind, name, index, option, what ] = match;
		return {
			kind: kind, name: name, index: index == null ? null : Number(index), option: option,
			title: option ? titles.option(kind, option) : null, what: what
		};
	}
});
