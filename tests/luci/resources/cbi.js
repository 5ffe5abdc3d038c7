'use strict';

/* Of LuCI's cbi.js what the views use: translation, which gives back what it is given, and
 * `String.prototype.format` with `%s` and `%d`. */

function _(text) {
	return text;
}

function N_(count, one, many) {
	return count == 1 ? one : many;
}

String.prototype.format = function(...args) {
	return this.replace(/%([sd%])/g, (all, kind) =>
		kind == '%' ? '%' : kind == 'd' ? String(Math.floor(args.shift())) : String(args.shift()));
};
