'use strict';
'require baseclass';

/* Whether the daemon would take a text as the value of an option. What is wrong is said here while it
 * is typed; the daemon's own check comes after saving. */

const SIZES = { '': 1, 'k': 1024, 'M': 1024 * 1024 };
const TIMES = { 's': 1, 'm': 60, 'h': 3600, 'd': 86400 };
const BYTES = new TextEncoder();

/* A whole number with one of these units behind it; NaN if it is none. */
function measure(text, units) {
	const match = /^([0-9]+)([A-Za-z]*)$/.exec(text);
	return match && Object.hasOwn(units, match[2]) ? Number(match[1]) * units[match[2]] : NaN;
}

function within(value, number) {
	return number >= value.min && number <= value.max;
}

function isAddress4(text) {
	return /^((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(?!$)|$)){4}$/.test(text);
}

/* The browser's own reading of an address in a URL. */
function isAddress6(text) {
	if (!/^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$/.test(text))
		return false;
	try {
		return new URL('http://[' + text + ']/').hostname.length > 2;
	}
	catch (error) {
		return false;
	}
}

/* The 4 or 16 bytes of an address. */
function bytes(text) {
	if (isAddress4(text))
		return text.split('.').map(Number);
	const [ head, tail ] = new URL('http://[' + text + ']/').hostname.slice(1, -1).split('::');
	const words = (part) => part ? part.split(':').map((word) => parseInt(word, 16)) : [];
	const [ first, last ] = [ words(head), words(tail) ];
	return first.concat(Array(8 - first.length - last.length).fill(0), last)
		.flatMap((word) => [ word >> 8, word & 255 ]);
}

function isAddress(text) {
	return isAddress4(text) || isAddress6(text);
}

function isMulticast(text) {
	const [ first ] = bytes(text);
	return isAddress4(text) ? first >= 224 && first <= 239 : first == 255;
}

function isPrefix(text) {
	const [ address, length, more ] = text.split('/');
	if (!isAddress(address) || more !== undefined)
		return false;
	if (length === undefined)
		return true;
	const all = bytes(address);
	if (!/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > all.length * 8)
		return false;
	/* Bits behind the prefix length are a slip in one of the two. */
	return all.every((byte, at) => (byte & (255 >> Math.min(8, Math.max(0, length - at * 8)))) == 0);
}

function matches(pattern, text) {
	return new RegExp(pattern, 'u').test(text);
}

function isHost(value, text) {
	return isAddress(text) ? !isMulticast(text) : text.length <= 253 && matches(value.pattern, text);
}

function isDate(year, month, day) {
	const date = new Date(Date.UTC(year, month - 1, day));
	return year >= 1970 && date.getUTCMonth() == month - 1 && date.getUTCDate() == day;
}

function isMoment(text) {
	const clock = '([01]\\d|2[0-3]):[0-5]\\d';
	const match = new RegExp(`^(\\d{4})-(\\d\\d)-(\\d\\d)(T${clock}(:[0-5]\\d)?(Z|[+-]${clock}))?$`).exec(text);
	return !!match && isDate(Number(match[1]), Number(match[2]), Number(match[3]));
}

/* https to anywhere, http to this router alone: it carries passwords. */
function isUrl(text) {
	const match = /^(https?):\/\/(?:\[([0-9a-fA-F:.]+)\]|([^\[\]\/:?]+))(?::([0-9]+))?([\/?].*)?$/.exec(text);
	if (!match || text.length > 400 || !/^[!-~]+$/.test(text) || /[#@\\]/.test(text))
		return false;
	const [ , scheme, address, name, port ] = match, host = address || name;
	if (address ? !isAddress6(address) : !isHost({ pattern: '^[A-Za-z0-9-]{1,63}(\\.[A-Za-z0-9-]{1,63})*$' }, name))
		return false;
	if (name && /(^|\.)-|-(\.|$)/.test(name))
		return false;
	if (port !== undefined && !(Number(port) >= 1 && Number(port) <= 65535))
		return false;
	return scheme == 'https' || host == 'localhost' || /^127\./.test(host) && isAddress4(host) ||
		!!address && bytes(address).every((byte, at) => byte == (at == 15 ? 1 : 0));
}

/* A topic filter, with variables if it may have any. */
function isPattern(value, text) {
	const levels = text.split('/');
	return BYTES.encode(text).length <= 256 && levels.length <= 32 && !/\p{Cc}/u.test(text) &&
		(value.dollar ? !text.startsWith('$share/') : !text.startsWith('$')) &&
		(!value.variables || /^([^%]|%[ducmnxy%])*$/u.test(text)) &&
		levels.every((level, at) => level == '+' || (level == '#' ? at == levels.length - 1 : !/[+#]/.test(level)));
}

const KINDS = {
	'bool': (value, text) => /^(1|on|yes|true|enabled|0|off|no|false|disabled)$/.test(text),
	'choice': (value, text) => value.words.includes(text),
	'number': (value, text) => within(value, measure(text, { '': 1 })),
	'size': (value, text) => within(value, measure(text, SIZES)),
	'time': (value, text) => within(value, measure(text, TIMES)),
	'moment': (value, text) => isMoment(text),
	'mac': (value, text) => /^([0-9a-f]{2}([:-][0-9a-f]{2}){5}|[0-9a-f]{12})$/i.test(text) &&
		(parseInt(text.slice(0, 2), 16) & 1) == 0 && !/^[0:-]+$/.test(text),
	'address': (value, text) => isAddress(text) && !isMulticast(text),
	'prefix': (value, text) => isPrefix(text),
	'text': (value, text) => BYTES.encode(text).length <= value.max && matches(value.pattern, text),
	'host': isHost,
	'url': (value, text) => isUrl(text),
	'path': (value, text) => /^\/\P{Cc}*$/u.test(text) && BYTES.encode(text).length <= 200 && !text.split('/').includes('..'),
	'reference': (value, text) => /^[A-Za-z0-9_]{1,32}$/.test(text),
	'pattern': isPattern
};

return baseclass.extend({
	/* Whether `text` can be the value of an option, as `SECTIONS` of `options.js` has it. */
	accepts(option, text) {
		return text !== '' && KINDS[option.value.type](option.value, text);
	},

	/* Whether a text means yes, as OpenWrt reads it. */
	isYes(text) {
		return /^(1|on|yes|true|enabled)$/.test(text);
	}
});
