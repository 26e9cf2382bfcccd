// Prints the options of each call of fetch that say what it does at a redirect.
const { fetch } = globalThis;
globalThis.fetch = (url, options) => {
	console.log(`fetch ${options.method} redirect=${options.redirect}`);
	return fetch(url, options);
};
