'use strict';
'require baseclass';

/* Calls over ubus, as uhttpd carries them. */

let id = 0;
const interceptors = [];

function raise(text) {
	const error = new Error(text);
	error.name = 'RPCError';
	throw error;
}

/* What `expect` names in an answer, or what it has there, if the answer has nothing of that type. */
function expected(expect, answer) {
	const [ name, otherwise ] = Object.entries(expect)[0];
	const value = name == '' ? answer : L.isObject(answer) ? answer[name] : undefined;
	const type = (one) => Array.isArray(one) ? 'array' : one === null ? 'null' : typeof(one);
	return type(value) == type(otherwise) ? value : otherwise;
}

async function call({ object, method, expect, reject }, params) {
	const response = await fetch(L.env.ubuspath, {
		method: 'POST',
		headers: { 'Content-Type': 'application/json' },
		body: JSON.stringify({
			jsonrpc: '2.0', id: ++id, method: 'call', params: [ L.env.sessionid, object, method, params ]
		})
	});
	if (!response.ok)
		raise(`RPC call to ${object}/${method} failed with HTTP error ${response.status}`);
	const reply = await response.json(), { result, error } = reply;
	interceptors.forEach((one) => one(reply, { object, method }));
	if (error)
		raise(`RPC call to ${object}/${method} failed with error ${error.code}: ${error.message}`);
	if (reject && result[0] !== 0)
		raise(`RPC call to ${object}/${method} failed with ubus code ${result[0]}`);
	const answer = result.length > 1 ? result[1] : result[0];
	return expect ? expected(expect, answer) : answer;
}

return baseclass.extend({
	/* What is given each answer as it came, and the call that it is for, before anybody else. */
	addInterceptor(interceptor) {
		interceptors.push(interceptor);
		return interceptor;
	},

	declare(options) {
		return (...args) => call(options,
			Object.fromEntries((options.params || []).map((name, at) => [ name, args[at] ])));
	}
});
