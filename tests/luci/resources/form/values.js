'use strict';
'require baseclass';
'require dom';
'require uci';

/* Options of a form, each with the control that it is changed by. */

/* A control: what it holds, and a word on what is wrong with that. */
class Control {
	constructor(option, id, node) {
		this.option = option;
		this.node = node;
		node.controlInstance = this;
		[ 'change', 'keyup' ].forEach((name) => node.addEventListener(name, () => {
			this.check();
			node.dispatchEvent(new CustomEvent('widget-change', { bubbles: true }));
		}));
		this.section = id;
	}

	check() {
		const field = this.node.querySelector('input, select') || this.node, value = this.value();
		const one = Array.isArray(value) ? this.pending() : value;
		const verdict = one === '' || one == null
			? this.option.rmempty || Array.isArray(value) || _('non-empty value')
			: this.option.validate(this.section, one);
		this.fault = verdict === true ? '' : verdict;
		field.classList.toggle('cbi-input-invalid', verdict !== true);
		if (verdict === true)
			field.removeAttribute('data-tooltip');
		else
			field.setAttribute('data-tooltip', this.fault);
		return verdict === true;
	}
}

class Field extends Control {
	value() {
		return this.node.value;
	}
}

class Check extends Control {
	value() {
		return this.node.checked ? this.option.enabled : this.option.disabled;
	}
}

class List extends Control {
	constructor(option, id, values, attributes) {
		const input = E('input', Object.assign({ 'type': 'text', 'class': 'cbi-input-text' }, attributes));
		super(option, id, E('div', { 'class': 'cbi-dynlist' }, [ E('div', { 'class': 'add-item' }, [
			input, E('button', { 'class': 'cbi-button cbi-button-add', 'disabled': attributes.disabled,
				'click': () => this.take() }, [ '+' ])
		]) ]));
		this.input = input;
		input.addEventListener('keydown', (event) => event.key == 'Enter' && this.take());
		values.forEach((value) => this.add(value));
	}

	/* What is written but not added yet. */
	pending() {
		return this.input.value;
	}

	take() {
		if (this.input.value && this.check()) {
			this.add(this.input.value);
			this.input.value = '';
		}
	}

	add(value) {
		const item = E('div', { 'class': 'item', 'tabindex': 0, 'data-value': value }, [ E('span', {}, [ value ]) ]);
		item.addEventListener('click', () => {
			item.remove();
			this.node.dispatchEvent(new CustomEvent('widget-change', { bubbles: true }));
		});
		this.node.insertBefore(item, this.node.lastChild);
	}

	value() {
		return [ ...this.node.querySelectorAll('.item') ].map((item) => item.getAttribute('data-value'));
	}
}

class Value {
	constructor(map, section, option, title, description) {
		Object.assign(this, {
			map: map, section: section, option: option, title: title, description: description,
			rmempty: true, deps: [], data: {}
		});
	}

	/* A choice. */
	value(key, title) {
		(this.choices = this.choices || []).push([ String(key), title == null ? String(key) : title ]);
	}

	depends(name, value) {
		this.deps.push(typeof(name) == 'object' ? name : { [name]: value });
	}

	validate() {
		return true;
	}

	cbid(id) {
		return `cbid.${this.map.config}.${id}.${this.option}`;
	}

	load(id) {
		return uci.get(this.map.config, id, this.option);
	}

	cfgvalue(id, value) {
		if (arguments.length == 2)
			this.data = Object.assign({}, this.data, { [id]: value });
		return this.data[id];
	}

	/* Markup: what the configuration holds is escaped. */
	textvalue(id) {
		const value = this.cfgvalue(id) == null ? this.default : this.cfgvalue(id);
		if (value == null)
			return null;
		const span = E('span', {}, [ [].concat(value).join(' ') ]);
		return span.innerHTML;
	}

	control(id) {
		const node = this.map.findElement('id', this.cbid(id));
		return node && node.firstElementChild.controlInstance;
	}

	formvalue(id) {
		const control = this.control(id);
		return control ? control.value() : null;
	}

	isActive(id) {
		const field = this.map.findElement('data-field', this.cbid(id));
		return !!field && !field.classList.contains('hidden');
	}

	/* Shows or hides it, as its conditions say; true if that has changed. */
	update(id) {
		const field = this.map.findElement('data-field', this.cbid(id));
		if (!field)
			return false;
		const wanted = !this.deps.length || this.deps.some((all) => Object.entries(all).every(([ name, value ]) => {
			const other = this.section.children.find((option) => option.option == name);
			return other && other.isActive(id) && other.formvalue(id) === value;
		}));
		const changed = wanted == field.classList.contains('hidden');
		field.classList.toggle('hidden', !wanted);
		return changed;
	}

	attributes(id) {
		return {
			'id': 'widget.' + this.cbid(id), 'placeholder': this.placeholder,
			'disabled': this.map.readonly || this.readonly ? '' : null
		};
	}

	widget(id, value) {
		return new Field(this, id, E('input', Object.assign({
			'type': this.password ? 'password' : 'text', 'class': 'cbi-input-text', 'value': value
		}, this.attributes(id))));
	}

	async render(id) {
		const value = this.cfgvalue(id);
		const control = this.widget(id, value == null ? this.default : value);
		const node = E('div', {
			'class': 'cbi-value', 'data-field': this.cbid(id), 'data-name': this.option
		}, [
			E('label', { 'class': 'cbi-value-title', 'for': 'widget.' + this.cbid(id) }, this.title),
			E('div', { 'class': 'cbi-value-field' }, [
				E('div', { 'id': this.cbid(id) }, [ control.node ]),
				this.description ? E('div', { 'class': 'cbi-value-description' }, this.description) : ''
			])
		]);
		node.addEventListener('widget-change', () => this.map.checkDepends());
		return node;
	}

	fault(id) {
		const control = this.control(id);
		return control && !control.check() ? `Option "${this.title}" contains an invalid input value. ${control.fault}` : '';
	}

	async parse(id) {
		if (!this.isActive(id))
			return this.retain ? null : this.remove(id);
		const fault = this.fault(id), value = this.formvalue(id);
		if (fault)
			throw new TypeError(fault);
		if (value == null || value == '')
			return this.rmempty ? this.remove(id) : Promise.reject(new TypeError(`Option "${this.title}" must not be empty.`));
		if (JSON.stringify(value) !== JSON.stringify(this.cfgvalue(id)))
			return this.write(id, value);
	}

	write(id, value) {
		return uci.set(this.map.config, id, this.option, value);
	}

	remove(id) {
		return uci.unset(this.map.config, id, this.option);
	}

	/* As of a section: a class like this with other methods. */
	static extend(properties) {
		const Extended = class extends this {};
		Object.assign(Extended.prototype, properties);
		return Extended;
	}

	super(name, args) {
		return Object.getPrototypeOf(this.constructor).prototype[name].apply(this, args);
	}
}

class ListValue extends Value {
	widget(id, value) {
		return new Field(this, id, E('select', Object.assign({ 'class': 'cbi-input-select' }, this.attributes(id)),
			this.choices.map(([ key, title ]) =>
				E('option', { 'value': key, 'selected': key == value ? '' : null }, [ title ]))));
	}
}

class Flag extends Value {
	constructor(...args) {
		super(...args);
		Object.assign(this, { enabled: '1', disabled: '0', default: '0' });
	}

	widget(id, value) {
		return new Check(this, id, E('input', Object.assign({
			'type': 'checkbox', 'checked': value == this.enabled ? '' : null
		}, this.attributes(id))));
	}

	textvalue(id) {
		const value = this.cfgvalue(id) == null ? this.default : this.cfgvalue(id);
		return value == this.enabled ? _('Yes') : _('No');
	}

	/* Whatever the file says, only what is not the default stays in it. */
	async parse(id) {
		if (!this.isActive(id))
			return this.retain ? null : this.remove(id);
		const value = this.formvalue(id);
		return value == this.default && this.rmempty ? this.remove(id) : this.write(id, value);
	}
}

class DynamicList extends Value {
	widget(id, value) {
		return new List(this, id, [].concat(value == null ? [] : value), this.attributes(id));
	}
}

return baseclass.extend({ Value: Value, ListValue: ListValue, Flag: Flag, DynamicList: DynamicList });
