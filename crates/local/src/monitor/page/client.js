// The TypeScript client, bundled by `just page`. Do not edit: change `clients/typescript/src`.
// src/errors.ts
var EntityStreamError = class extends Error {
	name = "EntityStreamError";
	code;
	constructor(code, message, options) {
		super(message, options);
		this.code = code;
	}
};
var RequestError = class extends EntityStreamError {
	name = "RequestError";
	action;
	subscription;
	constructor(code, message, action, subscription) {
		super(code, message);
		this.action = action;
		this.subscription = subscription;
	}
};
var AuthenticationError = class extends EntityStreamError {
	name = "AuthenticationError";
	status;
	constructor(code, message, options) {
		super(code, message, options);
		this.status = options?.status;
	}
};
var ConnectionError = class extends EntityStreamError {
	name = "ConnectionError";
	closeCode;
	status;
	constructor(code, message, options) {
		super(code, message, options);
		this.closeCode = options?.closeCode;
		this.status = options?.status;
	}
};
var TooSoonError = class extends ConnectionError {
	waitMs = 1e4;
	constructor(message) {
		super("server_error", message);
	}
};
var OverflowError = class extends EntityStreamError {
	name = "OverflowError";
	constructor(capacity) {
		super("overflow", `an iterator's buffer of ${capacity} events is full; read events faster, or raise its capacity`);
	}
};
var ClosedError = class extends EntityStreamError {
	name = "ClosedError";
	constructor() {
		super("closed", "the stream or the subscription has been closed");
	}
};
function asError(thrown) {
	return thrown instanceof Error ? thrown : new Error(String(thrown));
}
function isFinal(error) {
	if (error instanceof AuthenticationError) return error.code === "invalid_token" || error.code === "logged_out";
	if (error instanceof ConnectionError) return error.code === "handshake_refused";
	return error instanceof RequestError || error.code === "internal";
}
// src/dpop.ts
const REQUIRED = {
	EC: [
		"crv",
		"kty",
		"x",
		"y"
	],
	OKP: [
		"crv",
		"kty",
		"x"
	],
	RSA: [
		"e",
		"kty",
		"n"
	]
};
function generateDpopKey() {
	return subtle().generateKey({
		name: "ECDSA",
		namedCurve: "P-256"
	}, false, ["sign", "verify"]);
}
async function dpopThumbprint({ publicKey }) {
	return base64url(await subtle().digest("SHA-256", bytes(JSON.stringify(await publicJwk(publicKey)))));
}
async function prove({ privateKey, publicKey }, token, url, now) {
	const { alg, parameters } = signing(privateKey);
	const random = crypto.getRandomValues(new Uint8Array(16));
	const signed = [{
		typ: "dpop+jwt",
		alg,
		jwk: await publicJwk(publicKey)
	}, {
		jti: base64url(random.buffer),
		htm: "GET",
		htu: url.split(/[?#]/)[0],
		iat: Math.floor(now / 1e3),
		ath: base64url(await subtle().digest("SHA-256", bytes(token)))
	}].map((part) => base64url(bytes(JSON.stringify(part)).buffer)).join(".");
	return `${signed}.${base64url(await subtle().sign(parameters, privateKey, bytes(signed)))}`;
}
function signing({ algorithm }) {
	const { name, namedCurve, hash } = algorithm;
	if (name === "ECDSA" && namedCurve === "P-256") return {
		alg: "ES256",
		parameters: {
			name,
			hash: "SHA-256"
		}
	};
	if (name === "ECDSA" && namedCurve === "P-384") return {
		alg: "ES384",
		parameters: {
			name,
			hash: "SHA-384"
		}
	};
	if (name === "Ed25519") return {
		alg: "EdDSA",
		parameters: { name }
	};
	if (name === "RSASSA-PKCS1-v1_5" && hash?.name === "SHA-256") return {
		alg: "RS256",
		parameters: { name }
	};
	if (name === "RSA-PSS" && hash?.name === "SHA-256") return {
		alg: "PS256",
		parameters: {
			name,
			saltLength: 32
		}
	};
	throw new AuthenticationError("invalid_token", `dpop needs a key for ES256, ES384, EdDSA, RS256 or PS256; found ${name} ${namedCurve ?? hash?.name ?? ""}`.trimEnd());
}
async function publicJwk(key) {
	const jwk = await subtle().exportKey("jwk", key);
	return Object.fromEntries((REQUIRED[jwk.kty ?? ""] ?? []).map((name) => [name, jwk[name]]));
}
function subtle() {
	const { crypto } = globalThis;
	if (!crypto?.subtle) throw new AuthenticationError("invalid_token", "dpop needs WebCrypto, which pages have only on https: and on localhost");
	return crypto.subtle;
}
function bytes(text) {
	return new TextEncoder().encode(text);
}
function base64url(data) {
	return btoa(String.fromCharCode(...new Uint8Array(data))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
// src/checked.ts
function checkedType(name, value, type) {
	if (value !== void 0 && typeof value !== type) throw new TypeError(`${name} has to be a ${type}; found ${kindOf(value)}`);
}
function checkedNumber(name, value, least) {
	if (value !== void 0 && !(typeof value === "number" && value >= least)) throw new TypeError(`${name} has to be a number of at least ${least}; found ${typeof value === "number" ? value : kindOf(value)}`);
}
function checkedSignal(signal) {
	const { aborted, addEventListener, removeEventListener } = signal ?? {};
	if (signal !== void 0 && !(typeof aborted === "boolean" && typeof addEventListener === "function" && typeof removeEventListener === "function")) throw new TypeError(`signal has to be an AbortSignal; found ${kindOf(signal)}`);
}
function kindOf(value) {
	return value === null ? "null" : Array.isArray(value) ? "an array" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}
// src/entity.ts
function entityKey(tenant, servicePath, id) {
	return JSON.stringify([
		id,
		servicePath,
		tenant
	]);
}
function versionOf({ version }) {
	return typeof version === "number" ? version : void 0;
}
function isOlder(version, known) {
	return version !== void 0 && known !== void 0 && version <= known;
}
function greatest(one, other) {
	return one === void 0 || other !== void 0 && other > one ? other : one;
}
function isEqual(a, b) {
	if (Object.is(a, b)) return true;
	if (typeof a !== "object" || typeof b !== "object" || a === null || b === null || Array.isArray(a) !== Array.isArray(b)) return false;
	const [names, others] = [Object.keys(a), Object.keys(b)];
	const [left, right] = [a, b];
	return names.length === others.length && names.every((name) => Object.hasOwn(right, name) && isEqual(left[name], right[name]));
}
// src/held.ts
var Held = class Held {
	now;
	floor;
	marks = new Map();
	lack;
	isWhole = false;
	wholeIn;
	begunAt;
	shownIn = -1;
	constructor(now) {
		this.now = now;
	}
	static shown(message, shown, beginning, floor, begunAt) {
		const { tenant, servicePath, entityId, entityType, timestamp } = message;
		const held = new Held({
			id: String(entityId),
			type: entityType,
			tenant: String(tenant),
			servicePath: String(servicePath),
			data: {},
			version: floor,
			timestamp: String(timestamp),
			partial: true
		});
		held.floor = floor;
		held.begunAt = greatest(floor, begunAt);
		held.take(message, shown, beginning);
		return held;
	}
	static loaded(entity, beginning, floor, begunAt) {
		const held = new Held(Object.freeze({
			...entity,
			version: floor
		}));
		held.floor = held.begunAt = greatest(floor, begunAt);
		held.isWhole = true;
		held.shownIn = beginning;
		return held;
	}
	get entity() {
		return this.now;
	}
	keep(entity) {
		this.now = entity;
	}
	begin(included) {
		this.begunAt = greatest(this.now.version, included);
	}
	take(message, { what, attributes, removed, isPartial }, beginning) {
		const version = versionOf(message);
		const isNewer = version === void 0 || this.now.version === void 0 || version > this.now.version;
		const mark = {
			version,
			since: beginning
		};
		this.shownIn = beginning;
		let isChanged = isNewer;
		let data = attributes;
		if (what !== "whole" || !isNewer || isOlder(version, this.floor) || this.marks.size > 0) {
			const values = new Map(Object.entries(this.now.data));
			const set = (name, change) => {
				if (isOlder(version, this.versionOf(name))) return;
				change();
				isChanged = true;
				if (what !== "whole") this.marks.set(name, {
					...mark,
					version: version ?? this.marks.get(name)?.version
				});
			};
			const isGone = (name) => what === "whole" && !Object.hasOwn(attributes, name);
			for (const name of [...removed, ...[...values.keys()].filter(isGone)]) set(name, () => values.delete(name));
			for (const [name, value] of Object.entries(attributes)) set(name, () => values.set(name, value));
			data = Object.fromEntries(values);
		}
		const isCurrent = !isOlder(version, this.floor);
		if (isCurrent && what === "nothing" && !isOlder(version, this.lack?.version)) this.lack = mark;
		if (isCurrent && what === "whole") this.raise(mark, !isPartial);
		isChanged ||= this.now.partial !== this.isPartial;
		if (isChanged) this.become(data, isNewer ? message : void 0);
		return isChanged;
	}
	has(version, isLoading) {
		return isOlder(version, isLoading ? greatest(this.floor, this.begunAt) : this.floor);
	}
	include(version) {
		this.floor = greatest(this.floor, version);
		for (const [name, mark] of this.marks) if (isOlder(mark.version, version)) this.marks.delete(name);
	}
	load(loaded, beginning) {
		if (this.wholeIn === beginning) return false;
		const data = new Map(Object.entries(loaded?.data ?? {}));
		for (const [name, { since }] of this.marks) if (since !== beginning) this.marks.delete(name);
		else if (Object.hasOwn(this.now.data, name)) data.set(name, this.now.data[name]);
		else data.delete(name);
		if (this.lack?.since !== beginning) this.lack = void 0;
		this.floor = greatest(this.floor, this.begunAt);
		this.isWhole = loaded !== void 0;
		const before = this.now;
		const { type, timestamp } = this.shownIn === beginning || !loaded ? before : loaded;
		this.now = {
			...before,
			type,
			timestamp
		};
		this.shownIn = beginning;
		this.become(Object.fromEntries(data), void 0);
		const isSame = before.partial === this.now.partial && isEqual(before.type, type) && isEqual(before.data, this.now.data);
		if (isSame) this.now = before;
		return !isSame;
	}
	raise({ version, since }, isWhole) {
		this.isWhole = isWhole;
		if (version === void 0 || this.lack?.version === void 0 || version >= this.lack.version) this.lack = void 0;
		if (isWhole) this.wholeIn = since;
		for (const [name, mark] of this.marks) if (mark.version === void 0) this.marks.delete(name);
		if (version !== void 0) this.include(version);
	}
	become(data, message) {
		const { now } = this;
		const version = message && versionOf(message);
		this.now = Object.freeze({
			...now,
			type: message ? message["entityType"] : now.type,
			timestamp: message ? String(message["timestamp"]) : now.timestamp,
			version: version ?? now.version,
			data,
			partial: this.isPartial
		});
	}
	get isPartial() {
		return !this.isWhole || this.lack !== void 0;
	}
	versionOf(name) {
		return greatest(this.floor, this.marks.get(name)?.version);
	}
};
// src/shown.ts
function feedOf({ wholeEntity = false, q, geoQ }, loads) {
	return {
		loads,
		merges: !wholeEntity,
		follows: wholeEntity || q !== void 0 || geoQ !== void 0
	};
}
function shownBy(message, { loads, merges }) {
	const { truncated, state, changedAttributes } = message;
	const data = message["data"];
	const hasVersion = versionOf(message) !== void 0;
	const isPartial = message["partial"] === true;
	if (truncated === true || data === void 0 || hasVersion && state === "unavailable") return {
		what: "nothing",
		attributes: {},
		removed: [],
		isPartial
	};
	const isWhole = (message["type"] === "entityCreated" || hasVersion && !merges) && !(loads && isPartial);
	const isEmpty = Object.keys(data).length === 0;
	const removed = (Array.isArray(changedAttributes) && !isEmpty ? changedAttributes.map(String) : []).filter((name) => !Object.hasOwn(data, name));
	return {
		what: isWhole ? "whole" : "part",
		attributes: data,
		removed,
		isPartial
	};
}
function isUnclear(message, feed) {
	const { type, late, replayed } = message;
	if (!feed.loads || type === "entityLeft") return false;
	if (type === "entityDeleted") return late === true && feed.merges;
	const isWhole = () => shownBy(message, feed).what === "whole";
	if (late === true) return feed.merges || !isWhole();
	return replayed === true && feed.follows && versionOf(message) !== void 0 && !isWhole();
}
// src/collection.ts
const TIME_MS$1 = 9e5;
const MOST$1 = 1e5;
var Collection = class Collection {
	online;
	feed;
	held = new Map();
	gone = new Map();
	removedSince;
	unclear = new Map();
	included = new Map();
	beginnings = 0;
	constructor(online, feed) {
		this.online = online;
		this.feed = feed;
	}
	get isInDoubt() {
		return this.unclear.size > 0;
	}
	successor(feed) {
		const other = new Collection(this.online, feed);
		for (const [key, gone] of this.gone) if (gone.isDeleted) other.gone.set(key, gone);
		return other;
	}
	changesTo({ held }) {
		const changes = [];
		for (const [key, { entity }] of this.held) if (!held.has(key)) changes.push({
			kind: "removed",
			before: entity,
			after: void 0
		});
		for (const [key, now] of held) {
			const before = this.held.get(key)?.entity;
			const after = now.entity;
			if (!before) changes.push({
				kind: "added",
				before,
				after
			});
			else if (isEqual(before, after)) now.keep(before);
			else changes.push({
				kind: "updated",
				before,
				after
			});
		}
		return changes;
	}
	begin() {
		this.beginnings += 1;
		this.removedSince = new Set();
		for (const [key, version] of this.unclear) this.included.set(key, Math.max(version, this.included.get(key) ?? 0));
		this.unclear.clear();
		for (const [key, held] of this.held) held.begin(this.included.get(key));
	}
	recovered() {
		this.removedSince = void 0;
	}
	apply(message) {
		this.forget();
		const key = entityKey(String(message["tenant"]), String(message["servicePath"]), String(message["entityId"]));
		if (this.feed.loads && this.has(key, versionOf(message))) return void 0;
		if (isUnclear(message, this.feed)) {
			if (this.isAfterEnd(key, message)) this.noteUnclear(key, versionOf(message));
			return;
		}
		return message["type"] === "entityDeleted" || message["type"] === "entityLeft" ? this.remove(key, message) : this.put(key, message);
	}
	complete() {
		this.removedSince = void 0;
		return [...this.held].filter(([, { shownIn }]) => shownIn < this.beginnings).map(([key, { entity }]) => {
			this.held.delete(key);
			if (entity.version !== void 0) this.bury(key, entity.version, false);
			return {
				kind: "removed",
				before: entity,
				after: void 0
			};
		});
	}
	load(entities) {
		const changes = [];
		const keys = new Set();
		const take = (held, loaded) => {
			const before = held.entity;
			if (held.load(loaded, this.beginnings)) changes.push({
				kind: "updated",
				before,
				after: held.entity
			});
		};
		for (const loaded of entities) {
			const key = entityKey(loaded.tenant, loaded.servicePath, loaded.id);
			if (this.removedSince?.has(key)) continue;
			keys.add(key);
			const held = this.held.get(key);
			if (held) take(held, loaded);
			else {
				const added = Held.loaded(loaded, this.beginnings, this.gone.get(key)?.version, this.included.get(key));
				this.gone.delete(key);
				this.held.set(key, added);
				changes.push({
					kind: "added",
					before: void 0,
					after: added.entity
				});
			}
		}
		changes.push(...this.complete());
		for (const [key, held] of this.held) if (!keys.has(key)) take(held, void 0);
		for (const [key, version] of this.included) if (!this.held.has(key)) this.bury(key, version, false);
		this.included.clear();
		return changes;
	}
	remove(key, message) {
		const version = versionOf(message);
		const isDeleted = message["type"] === "entityDeleted";
		const held = this.held.get(key);
		const before = held?.entity;
		const known = before?.version;
		if (held && before && version !== void 0 && known !== void 0 && version < known) {
			if (this.feed.loads) {
				held.include(version);
				this.noteUnclear(key, known);
			}
			return;
		}
		this.removedSince?.add(key);
		const last = known === void 0 ? version : Math.max(known, version ?? known);
		if (last !== void 0) this.bury(key, last, isDeleted);
		if (!before) return void 0;
		this.held.delete(key);
		return {
			kind: "removed",
			before,
			after: void 0
		};
	}
	put(key, message) {
		const held = this.held.get(key);
		if (!held) return this.add(key, message);
		const before = held.entity;
		const [version, known] = [versionOf(message), before.version];
		if (!this.feed.loads && version !== void 0 && known !== void 0 && version <= known) {
			if (message["type"] === "entitySnapshot") held.shownIn = this.beginnings;
			return;
		}
		return held.take(message, shownBy(message, this.feed), this.beginnings) ? {
			kind: "updated",
			before,
			after: held.entity
		} : void 0;
	}
	add(key, message) {
		if (!this.isAfterEnd(key, message)) return void 0;
		const gone = this.gone.get(key)?.version;
		const shown = shownBy(message, this.feed);
		if (this.removedSince?.delete(key) === true && this.feed.loads && shown.what !== "whole") this.noteUnclear(key, versionOf(message));
		this.gone.delete(key);
		const held = Held.shown(message, shown, this.beginnings, gone, this.included.get(key));
		this.held.set(key, held);
		return {
			kind: "added",
			before: void 0,
			after: held.entity
		};
	}
	has(key, version) {
		const isLoading = this.removedSince !== void 0;
		return this.held.get(key)?.has(version, isLoading) ?? (isLoading && isOlder(version, this.included.get(key)));
	}
	isAfterEnd(key, message) {
		const [version, gone] = [versionOf(message), this.gone.get(key)];
		if (!gone) return true;
		return version === void 0 ? !gone.isDeleted || message["type"] === "entityCreated" : version > gone.version;
	}
	noteUnclear(key, version = 0) {
		this.unclear.set(key, Math.max(version, this.unclear.get(key) ?? 0));
	}
	bury(key, version, isDeleted) {
		const known = this.gone.get(key);
		const last = known && known.version > version ? known : {
			version,
			isDeleted
		};
		this.gone.delete(key);
		this.gone.set(key, {
			...last,
			time: this.online.at()
		});
	}
	forget() {
		const now = this.online.at();
		for (const [key, { time }] of this.gone) {
			if (now - time <= TIME_MS$1 && this.gone.size <= MOST$1) break;
			this.gone.delete(key);
		}
	}
};
// src/uncaught.ts
function shielded(call) {
	try {
		call();
	} catch (error) {
		queueMicrotask(() => {
			throw error;
		});
	}
}
// src/emitter.ts
var Emitter = class {
	listeners = {};
	inner = new WeakMap();
	on(name, listener) {
		const listeners = this.listeners[name] ??= new Set();
		listeners.add(listener);
		return () => void listeners.delete(listener);
	}
	once(name, listener) {
		const once = (value) => {
			stop();
			listener(value);
		};
		this.inner.set(once, listener);
		const stop = this.on(name, once);
		return stop;
	}
	off(name, listener) {
		const listeners = this.listeners[name];
		for (const each of listeners ?? []) if (each === listener || this.inner.get(each) === listener) listeners?.delete(each);
	}
	has(name) {
		return (this.listeners[name]?.size ?? 0) > 0;
	}
	emit(name, value) {
		for (const listener of [...this.listeners[name] ?? []]) shielded(() => listener(value));
	}
};
// src/unknown.ts
function refuseUnknown(what, given, known) {
	if (typeof given !== "object" || given === null || Array.isArray(given)) throw new TypeError(`${what} takes an object; it has ${known.join(", ")}`);
	for (const name of Object.keys(given)) {
		if (known.includes(name)) continue;
		const near = nearest(name, known);
		throw new TypeError(`${what} has no \`${name}\`${near === void 0 ? `; it has ${known.join(", ")}` : `; did you mean \`${near}\`?`}`);
	}
}
function nearest(name, known) {
	const plain = (text) => text.toLowerCase().replaceAll(/[_-]/g, "");
	const most = name.length < 5 ? 1 : 2;
	let best;
	let least = most + 1;
	for (const other of known) {
		const far = distance(plain(name), plain(other));
		if (far < least) [best, least] = [other, far];
	}
	return best;
}
function distance(a, b) {
	let former = [];
	let row = Array.from({ length: b.length + 1 }, (_, place) => place);
	for (let i = 1; i <= a.length; i += 1) {
		const next = [i];
		for (let j = 1; j <= b.length; j += 1) {
			const same = a[i - 1] === b[j - 1] ? 0 : 1;
			let least = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + same);
			if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, former[j - 2] + 1);
			next.push(least);
		}
		[former, row] = [row, next];
	}
	return row[b.length];
}
// src/filter.ts
const FIELDS = [
	"entityTypes",
	"entityIds",
	"idPattern",
	"q",
	"geoQ",
	"servicePath",
	"attributes",
	"representation",
	"showChanges",
	"notificationTrigger",
	"watchedAttributes",
	"wholeEntity"
];
const OF_ENTITIES = FIELDS.slice(0, -3);
function checkedFilter(filter) {
	refuseUnknown("a filter", filter, FIELDS);
	return normal(filter);
}
function filterOfEntities(filter, isWhole = true) {
	refuseUnknown("the filter of entities", filter, OF_ENTITIES);
	return {
		...normal(filter),
		...isWhole ? { wholeEntity: true } : {}
	};
}
function filterInForce(answer, name) {
	return normal((Array.isArray(answer["subscriptions"]) ? answer["subscriptions"] : [answer]).find((one) => one["subscription"] === name) ?? {});
}
function normal(fields) {
	const kept = FIELDS.flatMap((name) => {
		const value = fields[name];
		return value !== void 0 && value !== null && value !== "" && value !== false && !(Array.isArray(value) && value.length === 0) ? [[name, structured(value)]] : [];
	});
	return Object.fromEntries(kept);
}
function structured(value) {
	return typeof value === "object" ? JSON.parse(JSON.stringify(value)) : value;
}
// src/timer.ts
const LONGEST = 2 ** 31 - 1;
function after(ms, callback) {
	let left = Math.max(0, ms);
	let timer;
	const wait = () => {
		const part = Math.min(left, LONGEST);
		left -= part;
		timer = setTimeout(() => left > 0 ? wait() : callback(), part);
	};
	if (left !== Infinity) wait();
	return () => clearTimeout(timer);
}
function within(ms, promise, late, signal) {
	return new Promise((resolve, reject) => {
		if (signal?.aborted) return reject(new ClosedError());
		const aborted = () => settle(() => reject(new ClosedError()));
		const cancel = after(ms, () => settle(() => reject(late())));
		const settle = (how) => {
			cancel();
			signal?.removeEventListener("abort", aborted);
			how();
		};
		signal?.addEventListener("abort", aborted);
		promise.then((value) => settle(() => resolve(value)), (error) => settle(() => reject(error)));
	});
}
// src/backoff.ts
var Backoff = class {
	minMs;
	maxMs;
	failures = 0;
	end;
	constructor(minMs, maxMs) {
		this.minMs = minMs;
		this.maxMs = maxMs;
	}
	next() {
		const ceiling = Math.min(this.maxMs, this.minMs * 2 ** this.failures);
		this.failures += 1;
		return Math.random() * ceiling;
	}
	reset() {
		this.failures = 0;
	}
	wait(ms, leastMs = 0) {
		return new Promise((resolve) => {
			const begin = performance.now();
			let cancel = after(ms, resolve);
			this.end = (isPatient) => {
				const left = isPatient ? begin + leastMs - performance.now() : 0;
				cancel();
				if (left > 0) cancel = after(left, resolve);
				else resolve();
			};
		});
	}
	skip() {
		this.end?.(false);
		this.end = void 0;
	}
	hurry() {
		this.end?.(true);
	}
};
// src/live.ts
const ENTITIES_OPTIONS = [
	"name",
	"signal",
	"load",
	"servicePath",
	"wholeEntity"
];
const MIN_MS = 1e3;
const MAX_MS = 3e4;
var Loader = class {
	load;
	begins;
	loaded;
	trouble;
	current;
	endedAt = -Infinity;
	constructor(load, begins, loaded, trouble) {
		this.load = load;
		this.begins = begins;
		this.loaded = loaded;
		this.trouble = trouble;
	}
	start() {
		this.stop();
		const controller = this.current = new AbortController();
		this.run(controller, 0);
	}
	again() {
		if (this.current) return;
		const controller = this.current = new AbortController();
		this.run(controller, this.endedAt + MIN_MS - performance.now());
	}
	stop() {
		this.current?.abort();
		this.current = void 0;
	}
	async run(controller, waitMs) {
		const { signal } = controller;
		const backoff = new Backoff(MIN_MS, MAX_MS);
		signal.addEventListener("abort", () => backoff.skip());
		if (waitMs > 0) await backoff.wait(waitMs);
		while (!signal.aborted) {
			let entities;
			try {
				this.begins();
				entities = await this.load(signal);
			} catch (thrown) {
				if (signal.aborted) return;
				this.trouble(new ConnectionError("load_failed", `load failed: ${asError(thrown).message}`, { cause: thrown }));
				await backoff.wait(backoff.next());
				continue;
			}
			if (signal.aborted) return;
			this.current = void 0;
			this.endedAt = performance.now();
			return this.loaded(entities);
		}
	}
};
function entityOf(loaded, tenant, usualPath) {
	const { id, type, servicePath, "@context": _, ...data } = loaded ?? {};
	if (typeof id !== "string" || id === "") throw new TypeError("an entity has no `id`");
	const isType = (each) => typeof each === "string" && each !== "";
	if (!isType(type) && !(Array.isArray(type) && type.length > 0 && type.every(isType))) throw new TypeError("an entity has no `type`");
	return {
		id,
		type,
		tenant,
		servicePath: typeof servicePath === "string" ? servicePath : usualPath,
		data,
		version: void 0,
		timestamp: "",
		partial: false
	};
}
// src/iterator.ts
const ITERATOR_OPTIONS = ["capacity", "overflow"];
function checkedIterator({ capacity, overflow = "fail" }) {
	checkedNumber("capacity", capacity, 1);
	if (overflow !== "fail" && overflow !== "drop-oldest") throw new TypeError("overflow has to be \"drop-oldest\" or \"fail\"");
}
var EventIterator = class {
	onOverflow;
	onEnd;
	dropped = 0;
	buffer = [];
	overflowing = false;
	waiting = [];
	end;
	capacity;
	overflow;
	constructor(options, onOverflow, onEnd) {
		this.onOverflow = onOverflow;
		this.onEnd = onEnd;
		this.capacity = options.capacity ?? 1e3;
		this.overflow = options.overflow ?? "drop-oldest";
	}
	next() {
		if (this.buffer.length > 0) {
			const value = this.buffer.shift();
			if (this.buffer.length === 0) this.overflowing = false;
			return Promise.resolve({
				done: false,
				value
			});
		}
		if (this.end) {
			const { error } = this.end;
			this.end = { error: void 0 };
			return error ? Promise.reject(error) : Promise.resolve({
				done: true,
				value: void 0
			});
		}
		return new Promise((resolve, reject) => this.waiting.push({
			resolve,
			reject
		}));
	}
	return() {
		this.buffer = [];
		this.finish(void 0);
		return Promise.resolve({
			done: true,
			value: void 0
		});
	}
	[Symbol.asyncIterator]() {
		return this;
	}
	push(event) {
		if (this.end) return;
		const waiting = this.waiting.shift();
		if (waiting) return waiting.resolve({
			done: false,
			value: event
		});
		if (this.buffer.length < this.capacity) return void this.buffer.push(event);
		if (this.overflow === "fail") return this.finish(new OverflowError(this.capacity));
		this.buffer.shift();
		this.buffer.push(event);
		this.dropped += 1;
		if (!this.overflowing) {
			this.overflowing = true;
			this.onOverflow(new OverflowError(this.capacity));
		}
	}
	finish(error) {
		if (this.end) return;
		this.end = { error };
		for (const waiting of this.waiting.splice(0)) {
			const { error } = this.end;
			this.end = { error: void 0 };
			if (error) waiting.reject(error);
			else waiting.resolve({
				done: true,
				value: void 0
			});
		}
		this.onEnd(this);
	}
};
// src/subscription.ts
const SUBSCRIBE_OPTIONS = [
	"name",
	"snapshot",
	"since",
	"signal",
	"capacity",
	"overflow"
];
let ids = 0;
var Subscription = class {
	host;
	options;
	watcher;
	first;
	isAwaited = false;
	emitter = new Emitter();
	iterators = new Set();
	receiver;
	items = new Map();
	current = "pending";
	wire;
	end;
	closing;
	unlisten = () => {};
	constructor(host, filter, options, watcher = {}) {
		this.host = host;
		this.options = options;
		this.watcher = watcher;
		this.receiver = this.receive();
		const { snapshot = false, since, signal } = options;
		const beginning = since && {
			since,
			askedAt: performance.now()
		};
		this.wire = {
			name: options.name ?? host.registry.newName(),
			filter,
			snapshot,
			since: beginning,
			receiver: this.receiver
		};
		const accepted = signal?.aborted ? Promise.reject(new ClosedError()) : host.registry.add(this.wire);
		this.first = accepted.then((filter) => {
			if (this.end) throw this.end;
			return filter;
		});
		this.first.catch((error) => this.fail(asError(error)));
		const abort = () => void this.close();
		signal?.addEventListener("abort", abort);
		this.unlisten = () => signal?.removeEventListener("abort", abort);
		if (signal?.aborted) this.finish("closed", void 0);
		else host.proceed();
	}
	get ready() {
		this.isAwaited = true;
		return this.first;
	}
	get name() {
		return this.wire.name;
	}
	get state() {
		return this.current;
	}
	on(name, listener) {
		return this.emitter.on(name, listener);
	}
	once(name, listener) {
		return this.emitter.once(name, listener);
	}
	off(name, listener) {
		this.emitter.off(name, listener);
	}
	events(options) {
		if (options !== void 0) refuseUnknown("a loop", options, ITERATOR_OPTIONS);
		checkedIterator(options ?? {});
		const report = (error) => this.emitter.emit("error", error);
		const iterator = new EventIterator(options ?? this.options, report, (ended) => void this.iterators.delete(ended));
		if (this.end) iterator.finish(this.current === "failed" ? this.end : void 0);
		else this.iterators.add(iterator);
		return iterator;
	}
	[Symbol.asyncIterator]() {
		return this.events();
	}
	update(filter) {
		if (this.end) return Promise.reject(this.end);
		const checked = checkedFilter(filter);
		const accepted = this.host.registry.replace(this.wire, checked);
		this.host.proceed();
		return accepted;
	}
	close() {
		this.closing ??= this.shutDown();
		return this.closing;
	}
	[Symbol.asyncDispose]() {
		return this.close();
	}
	async shutDown() {
		if (this.end) return;
		const removed = this.host.registry.remove(this.receiver);
		if (!this.host.isMember) this.finish("closed", void 0);
		this.host.proceed();
		await removed;
		this.finish("closed", void 0);
	}
	receive() {
		const { watcher } = this;
		return {
			id: ids += 1,
			began: () => watcher.began?.(),
			accepted: (wire) => {
				this.wire = wire;
				this.change("active");
				watcher.accepted?.(wire);
			},
			event: (event) => {
				if (this.end) return;
				watcher.event?.(event);
				this.emitter.emit("event", event);
				for (const iterator of this.iterators) iterator.push(event);
			},
			snapshotItem: (item) => {
				if (this.end) return;
				watcher.snapshotItem?.(item);
				if (!watcher.snapshotItem) this.items.set(keyOf(item), item);
			},
			snapshotRestarted: () => this.items.clear(),
			snapshotComplete: () => {
				if (this.end) return;
				watcher.snapshotComplete?.();
				const entities = [...this.items.values()];
				this.items.clear();
				this.emitter.emit("snapshot", { entities });
			},
			recovered: (replayed) => {
				watcher.recovered?.(replayed);
				this.emitter.emit("recovered", { replayed });
			},
			notRecovered: (reason, missedSince) => {
				watcher.notRecovered?.(reason, missedSince);
				this.emitter.emit("notRecovered", {
					reason,
					missedSince
				});
			},
			lost: () => {
				this.items.clear();
				watcher.lost?.();
			},
			failed: (error) => this.fail(error)
		};
	}
	fail(error) {
		if (this.end) return;
		if (error instanceof ClosedError) return this.finish("closed", void 0);
		if (!(this.isAwaited || this.iterators.size > 0 || this.emitter.has("error") || this.host.isHeard())) console.error(error);
		this.finish("failed", error);
		this.watcher.failed?.(error);
		const known = error instanceof EntityStreamError ? error : new EntityStreamError("internal", error.message, { cause: error });
		this.emitter.emit("error", known);
	}
	finish(state, error) {
		if (this.end) return;
		this.end = error ?? new ClosedError();
		this.unlisten();
		this.items.clear();
		this.change(state);
		for (const iterator of [...this.iterators]) iterator.finish(error);
	}
	change(state) {
		if (this.current === state || this.current === "closed" || this.current === "failed") return;
		this.current = state;
		this.emitter.emit("state", state);
	}
};
function keyOf({ entityId, servicePath }) {
	return JSON.stringify([entityId, servicePath]);
}
// src/source.ts
var Source = class {
	owner;
	collection;
	filter;
	options;
	subscription;
	isComplete = false;
	loader;
	wasFilled = false;
	isInForce = false;
	constructor(owner, host, collection, filter, options) {
		this.owner = owner;
		this.collection = collection;
		this.filter = filter;
		this.options = options;
		const { load, servicePath = usualPath(filter), name, signal } = options;
		if (load) {
			const read = async (signal) => [...await load(signal)].map((entity) => entityOf(entity, host.tenant, servicePath));
			const loaded = (entities) => this.fill(this.collection.load(entities));
			this.loader = new Loader(read, () => this.collection.begin(), loaded, (error) => this.owner.error(this, error));
		}
		this.subscription = new Subscription(host, filter, {
			name,
			signal,
			snapshot: !load
		}, {
			began: () => {
				if (!load) this.collection.begin();
			},
			accepted: () => this.loadNow(),
			event: (event) => this.take(event),
			snapshotItem: (item) => this.take(item),
			snapshotComplete: () => this.fill(this.collection.complete()),
			recovered: () => {
				if (!this.wasFilled) return this.loadNow();
				this.isInForce = true;
				this.collection.recovered();
				this.change(true);
			},
			notRecovered: () => {
				if (!load) return;
				this.wasFilled = false;
				this.loadNow();
			},
			failed: (error) => this.owner.failed(this, error),
			lost: () => this.stop()
		});
		this.subscription.on("state", (state) => {
			if (state === "closed" || state === "failed") this.stop();
			this.owner.state(this, state);
		});
		this.subscription.on("error", (error) => this.owner.error(this, error));
	}
	close() {
		return this.subscription.close();
	}
	take(message) {
		const change = this.collection.apply(message);
		if (this.collection.isInDoubt) this.loadAgain();
		if (change) this.owner.told(this, [change]);
	}
	fill(changes) {
		this.owner.told(this, changes);
		this.change(true);
		if (this.collection.isInDoubt) this.loadAgain();
	}
	loadNow() {
		this.isInForce = true;
		this.loader?.start();
	}
	loadAgain() {
		this.wasFilled = false;
		if (this.isComplete) this.change(false);
		if (this.isInForce) this.loader?.again();
	}
	stop() {
		this.isInForce = false;
		this.loader?.stop();
		this.change(false);
	}
	change(isComplete) {
		if (isComplete) this.wasFilled = true;
		this.isComplete = isComplete;
		this.owner.complete(this, isComplete);
	}
};
function usualPath({ servicePath = "" }) {
	return servicePath.replace(/#$/, "").replace(/\/+$/, "") || "/";
}
// src/view.ts
const VIEW_OPTIONS = [
	"sort",
	"filter",
	"limit"
];
function checkedView({ sort, filter, limit }) {
	checkedType("sort", sort, "function");
	checkedType("filter", filter, "function");
	checkedNumber("limit", limit, 0);
}
var EntityView = class {
	options;
	onClose;
	emitter = new Emitter();
	all;
	members;
	shown;
	constructor(entities, options, onClose) {
		this.options = options;
		this.onClose = onClose;
		refuseUnknown("a view", options, VIEW_OPTIONS);
		checkedView(options);
		this.all = [...entities].filter((entity) => this.passes(entity)).sort(this.compare);
		this.members = new Set(this.all);
	}
	get values() {
		this.shown ??= Object.freeze(this.all.slice(0, this.options.limit ?? this.all.length));
		return this.shown;
	}
	get size() {
		return this.values.length;
	}
	[Symbol.iterator]() {
		return this.values[Symbol.iterator]();
	}
	onChange(listener) {
		return this.emitter.on("change", listener);
	}
	close() {
		this.onClose(this);
	}
	take({ before, after }) {
		const limit = this.options.limit ?? Infinity;
		if (![before && this.members.has(before) ? this.remove(before) : -1, after && !this.members.has(after) && this.passes(after) ? this.insert(after) : -1].some((place) => place >= 0 && place < limit)) return;
		this.shown = void 0;
		this.emitter.emit("change", this.values);
	}
	passes(entity) {
		return this.options.filter?.(entity) ?? true;
	}
	insert(entity) {
		const place = this.search(entity);
		this.all.splice(place, 0, entity);
		this.members.add(entity);
		return place;
	}
	remove(entity) {
		let place = this.search(entity);
		if (this.all[place] !== entity) place = this.all.indexOf(entity);
		this.all.splice(place, 1);
		this.members.delete(entity);
		return place;
	}
	search(entity) {
		let [low, high] = [0, this.all.length];
		while (low < high) {
			const middle = low + high >>> 1;
			if (this.compare(this.all[middle], entity) < 0) low = middle + 1;
			else high = middle;
		}
		return low;
	}
	compare = (a, b) => (this.options.sort?.(a, b) ?? 0) || order(a.id, b.id) || order(a.servicePath, b.servicePath);
};
function order(a, b) {
	return a < b ? -1 : a > b ? 1 : 0;
}
// src/entities.ts
var Entities = class {
	host;
	options;
	emitter = new Emitter();
	views = new Set();
	byId = new Map();
	completed;
	resolve;
	reject;
	source;
	next;
	updates = Promise.resolve();
	end;
	hasAll = false;
	isAwaited = false;
	constructor(host, filter, options, online) {
		this.host = host;
		this.options = options;
		this.completed = new Promise((resolve, reject) => [this.resolve, this.reject] = [resolve, reject]);
		this.completed.catch(() => {});
		this.source = this.open(new Collection(online, feedOf(filter, options.load !== void 0)), filter, options);
		if (this.state === "closed") this.finish(new ClosedError());
	}
	get ready() {
		this.isAwaited = true;
		return this.completed;
	}
	get isComplete() {
		return this.hasAll;
	}
	get state() {
		return this.source.subscription.state;
	}
	get size() {
		return this.source.collection.held.size;
	}
	get(id, servicePath) {
		for (const key of this.byId.get(id) ?? []) {
			const entity = this.source.collection.held.get(key)?.entity;
			if (entity && (servicePath === void 0 || entity.servicePath === servicePath)) return entity;
		}
	}
	has(id, servicePath) {
		return this.get(id, servicePath) !== void 0;
	}
	*values() {
		for (const { entity } of this.source.collection.held.values()) yield entity;
	}
	*keys() {
		for (const { id } of this.values()) yield id;
	}
	*entries() {
		for (const entity of this.values()) yield [entity.id, entity];
	}
	[Symbol.iterator]() {
		return this.entries();
	}
	forEach(callback) {
		for (const [id, entity] of this) callback(entity, id);
	}
	on(name, listener) {
		return this.emitter.on(name, listener);
	}
	once(name, listener) {
		return this.emitter.once(name, listener);
	}
	off(name, listener) {
		this.emitter.off(name, listener);
	}
	onChange(listener) {
		return this.emitter.on("change", listener);
	}
	view(options = {}) {
		const view = new EntityView(this.values(), options, (closed) => void this.views.delete(closed));
		this.views.add(view);
		return view;
	}
	update(filter, options = {}) {
		refuseUnknown("an update", options, ["load"]);
		checkedType("load", options.load, "function");
		if (options.load && !this.options.load) throw new TypeError("the collection has no load: the snapshot of the service fills it");
		const chosen = filterOfEntities(filter, this.options.wholeEntity);
		const updated = this.updates.then(() => this.exchange(chosen, options.load));
		this.updates = updated.catch(() => {});
		return updated;
	}
	async close() {
		await Promise.all([this.source.close(), this.next?.source.close()]);
	}
	[Symbol.asyncDispose]() {
		return this.close();
	}
	open(collection, filter, options) {
		return new Source(this.owner, this.host, collection, filter, options);
	}
	owner = {
		told: (source, changes) => {
			if (source === this.source) this.apply(changes);
		},
		complete: (source) => {
			if (source.isComplete && source === this.next?.source) this.exchanged(this.next);
			if (source === this.source) this.change(source.isComplete);
		},
		state: (source, state) => {
			if (state === "closed") this.ended(source, new ClosedError());
			if (source === this.source) this.emitter.emit("state", state);
		},
		failed: (source, error) => this.ended(source, error),
		error: (source, error) => {
			const hasFailed = source.subscription.state === "failed";
			if (hasFailed && source !== this.source) return;
			if (hasFailed && !this.isAwaited && !this.emitter.has("error") && !this.host.isHeard()) console.error(error);
			this.emitter.emit("error", error);
		}
	};
	exchange(filter, load) {
		if (this.end) return Promise.reject(this.end);
		const name = this.host.registry.newName(this.options.name);
		const options = {
			...this.source.options,
			name,
			...load ? { load } : {}
		};
		return new Promise((resolve, reject) => {
			const source = this.open(this.source.collection.successor(feedOf(filter, options.load !== void 0)), filter, options);
			this.next = {
				source,
				resolve,
				reject
			};
			if (source.subscription.state === "closed") this.ended(source, new ClosedError());
		});
	}
	exchanged({ source, resolve }) {
		const old = this.source;
		this.next = void 0;
		this.source = source;
		this.apply(old.collection.changesTo(source.collection));
		old.close();
		resolve();
	}
	ended(source, error) {
		const { next } = this;
		if (source === this.source) this.finish(error);
		else if (source === next?.source) {
			this.next = void 0;
			next.reject(error);
		}
	}
	finish(error) {
		this.end ??= error;
		this.reject(error);
		const { next } = this;
		this.next = void 0;
		next?.reject(error);
		next?.source.close();
	}
	apply(changes) {
		for (const each of changes) this.index(each);
		for (const each of changes) {
			for (const view of this.views) shielded(() => view.take(each));
			this.emitter.emit("change", each);
		}
	}
	index({ before, after }) {
		const { id, servicePath, tenant } = after ?? before;
		const key = entityKey(tenant, servicePath, id);
		const keys = this.byId.get(id) ?? new Set();
		if (after) this.byId.set(id, keys.add(key));
		else if (keys.delete(key) && keys.size === 0) this.byId.delete(id);
	}
	change(isComplete) {
		if (isComplete) this.resolve();
		if (this.hasAll === isComplete) return;
		this.hasAll = isComplete;
		this.emitter.emit("complete", isComplete);
	}
};
// src/online.ts
var OnlineTime = class {
	now;
	before = 0;
	since;
	constructor(now = () => performance.now()) {
		this.now = now;
	}
	online() {
		this.since ??= this.now();
	}
	offline() {
		this.before = this.at();
		this.since = void 0;
	}
	at() {
		return this.before + (this.since === void 0 ? 0 : this.now() - this.since);
	}
};
// src/url.ts
const TAKEN = {
	token: "because URLs are often logged; use getToken instead",
	tenant: "use the option tenant instead",
	group_id: "use the option groupId instead",
	...Object.fromEntries([
		"entityTypes",
		"entityIds",
		"idPattern",
		"wholeEntity",
		"showChanges"
	].map((name) => [name, "use subscribe() instead"])),
	...Object.fromEntries([
		"subscribe",
		"batch",
		"format",
		"ack"
	].map((name) => [name, "this client sets it"]))
};
const EXAMPLE = "ws://localhost:3000 or wss://a1b2c3.execute-api.eu-west-1.amazonaws.com/prod";
function checkedUrl(text) {
	const parts = /^([a-z][a-z0-9+.-]*):\/\/([^/?#\s]+)([^?#\s]*)(?:\?([^#\s]*))?(?:#.*)?$/i.exec(String(text).trim());
	if (!parts) throw new TypeError(`url has to be a WebSocket URL such as ${EXAMPLE}`);
	const [, scheme = "", host = "", path = "", query = ""] = parts;
	if (!/^wss?$/i.test(scheme)) throw new TypeError(`url has to begin with ws: or wss:, such as ${EXAMPLE}`);
	if (host.includes("@")) throw new TypeError("url must not contain a user name or password; use getToken instead");
	for (const parameter of query.split("&")) {
		const name = decoded(parameter.split("=")[0]);
		const why = Object.hasOwn(TAKEN, name) ? TAKEN[name] : void 0;
		if (why !== void 0) throw new TypeError(`url must not contain \`${name}\`, ${why}`);
	}
	return `${scheme}://${host}${path || "/"}${query === "" ? "" : `?${query.replaceAll("+", "%20")}`}`;
}
function target({ url, tenant, groupId }) {
	const parameters = {
		tenant,
		subscribe: "none",
		batch: "true",
		...groupId === void 0 ? {} : { group_id: groupId }
	};
	const query = Object.entries(parameters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
	return `${url}${url.includes("?") ? "&" : "?"}${query}`;
}
function decoded(text) {
	try {
		return decodeURIComponent(text.replaceAll("+", " "));
	} catch {
		return text;
	}
}
// src/options.ts
const DEFAULTS = {
	authenticate: "handshake",
	pingIntervalMs: 3e5,
	pongTimeoutMs: 1e4,
	connectTimeoutMs: 15e3,
	requestTimeoutMs: 3e4,
	backoffMinMs: 500,
	backoffMaxMs: 3e4,
	stableAfterMs: 3e4,
	renewBeforeMs: 6e4,
	rotateAfterMs: 66e5,
	drainMs: 1e4
};
const STREAM_OPTIONS = [
	"url",
	"tenant",
	"getToken",
	"dpop",
	"groupId",
	"WebSocket",
	"parse",
	"debug",
	...Object.keys(DEFAULTS)
];
function settings(options) {
	refuseUnknown("a stream", options, STREAM_OPTIONS);
	const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== void 0));
	for (const [name, usual] of Object.entries(DEFAULTS)) if (typeof usual === "number") checkedNumber(name, given[name], 0);
	for (const name of [
		"getToken",
		"parse",
		"debug",
		"WebSocket"
	]) checkedType(name, options[name], "function");
	checkedType("groupId", options.groupId, "string");
	const authenticate = options.authenticate ?? DEFAULTS.authenticate;
	if (authenticate !== "handshake" && authenticate !== "first-message") throw new TypeError("authenticate has to be \"handshake\" or \"first-message\"");
	if (typeof options.tenant !== "string" || !/^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$/.test(options.tenant)) throw new TypeError("tenant has to be 1 to 63 characters of A-Z a-z 0-9 _ -, beginning with a letter, a digit or _");
	if (options.groupId !== void 0 && !/^[A-Za-z0-9_.-]{1,128}$/.test(options.groupId)) throw new TypeError("groupId has to be 1 to 128 characters of A-Z a-z 0-9 _ - .");
	if (options.dpop !== void 0) refuseUnknown("dpop", options.dpop, ["keyPair"]);
	if (options.dpop !== void 0 && !(options.dpop.keyPair?.privateKey && options.dpop.keyPair.publicKey)) throw new TypeError("dpop has to have a keyPair; generateDpopKey() makes one");
	const WebSocket = options.WebSocket ?? globalThis.WebSocket;
	if (!WebSocket) throw new TypeError("this platform has no WebSocket: pass a class as the option WebSocket, for example from the npm package ws");
	return {
		...DEFAULTS,
		...given,
		url: checkedUrl(options.url),
		tenant: options.tenant,
		getToken: options.getToken,
		dpop: options.dpop,
		authenticate,
		groupId: options.groupId,
		WebSocket,
		parse: options.parse ?? JSON.parse,
		debug: careful(options.debug)
	};
}
function careful(debug) {
	if (!debug) return () => {};
	return (entry) => shielded(() => debug(entry));
}
// src/since.ts
const MOST_SECONDS = 2 ** 32 - 1;
function checkedSince(given) {
	if (given === void 0 || given === null) return void 0;
	const wrong = () => new TypeError("since has to be { seconds } with a number of at least 0, or a bookmark: { position, session } with two strings");
	if (typeof given !== "object" || Array.isArray(given)) throw wrong();
	refuseUnknown("since", given, [
		"seconds",
		"position",
		"session"
	]);
	const { seconds, position, session } = given;
	if (seconds === void 0 && typeof position === "string" && typeof session === "string") return {
		position,
		session
	};
	if (position !== void 0 || session !== void 0 || typeof seconds !== "number" || !(seconds >= 0 && seconds < Infinity)) throw wrong();
	return { seconds };
}
function wireSince({ since, askedAt }, now = performance.now()) {
	if (!("seconds" in since)) return since;
	return { seconds: Math.min(MOST_SECONDS, Math.ceil(since.seconds + (now - askedAt) / 1e3)) };
}
function isSameSince(a, b) {
	return JSON.stringify(a.since) === JSON.stringify(b.since);
}
const MESSAGE_BYTES = 32768;
const RESERVED_BYTES = 320;
function subscribeFields(wires, withSnapshots, since) {
	return {
		subscriptions: wires.map(({ name, filter, snapshot }) => ({
			subscription: name,
			...filter,
			...snapshot && withSnapshots ? { snapshot: true } : {}
		})),
		...since ? { since } : {}
	};
}
function excess(wires) {
	if (wires.length > 16) return `a connection has at most 16 subscriptions; close one, share one among equal filters, or open another stream`;
	const text = JSON.stringify({
		action: "subscribe",
		...subscribeFields(wires, true)
	});
	const bytes = new TextEncoder().encode(text).length + RESERVED_BYTES;
	if (bytes <= MESSAGE_BYTES) return void 0;
	return `the subscriptions make a message of ${bytes} bytes; the server takes ${MESSAGE_BYTES}. Use fewer or shorter types and ids`;
}
// src/registry.ts
const FIRST_WAIT_MS = 1e3;
const LONGEST_WAIT_MS = 3e4;
var Registry = class {
	accepted = new Map();
	routes = new Map();
	owed = new Set();
	underWay = new Set();
	changes = [];
	names = 0;
	get restored() {
		return [...this.accepted.values()];
	}
	get isWanted() {
		return this.planned().length > 0;
	}
	get receivers() {
		return [...new Set(this.restored.map(({ receiver }) => receiver))];
	}
	receiverOf(name) {
		return this.routes.get(name);
	}
	get routed() {
		return [...new Set(this.routes.values())];
	}
	isAccepted(receiver) {
		return this.restored.some((wire) => wire.receiver === receiver);
	}
	isAnyWanted(receivers) {
		return this.planned().some(({ receiver }) => receivers.has(receiver));
	}
	isFree(name) {
		return !this.planned().some((wire) => wire.name === name);
	}
	newName(base) {
		for (;;) {
			this.names += 1;
			const name = base === void 0 ? `s${this.names}` : `${base.replace(/:\d+$/, "").slice(0, 48)}:${this.names}`;
			if (this.isFree(name) && !this.routes.has(name)) return name;
		}
	}
	add(wire) {
		return this.enqueue("add", wire);
	}
	replace(current, filter) {
		const wire = {
			...current,
			filter,
			since: void 0
		};
		const both = {
			...wire,
			name: this.newName(current.name)
		};
		return this.enqueue("replace", excess([...this.planned(), both]) === void 0 ? both : wire);
	}
	remove(receiver) {
		for (const change of this.changes.filter(({ wire }) => wire.receiver === receiver)) {
			if (change.kind === "remove" || this.underWay.has(change.wire.name)) continue;
			this.drop(change);
			change.reject(new ClosedError());
		}
		const wires = [...this.restored, ...this.planned()].filter((wire) => wire.receiver === receiver);
		const names = [...new Set(wires.map(({ name }) => name))];
		return Promise.all(names.map((name) => new Promise((resolve) => this.changes.push({
			kind: "remove",
			wire: {
				name,
				receiver
			},
			resolve
		})))).then(() => {});
	}
	next(mayResume) {
		const waiting = new Set();
		return this.changes.find((change) => {
			if (change.kind === "remove" && change.later) return change.later.at <= performance.now();
			const isFirst = !waiting.has(change.wire.receiver);
			const mustWait = change.kind === "add" && change.wire.since !== void 0 && !mayResume;
			if (mustWait) waiting.add(change.wire.receiver);
			return isFirst && !mustWait;
		});
	}
	get isUnderWay() {
		return this.underWay.size > 0;
	}
	get hasChanges() {
		return this.changes.length > 0;
	}
	nextInMs(resumesInMs) {
		const now = performance.now();
		const waits = this.changes.map((change) => change.kind === "remove" && change.later ? Math.max(0, change.later.at - now) : resumesInMs);
		return Math.min(Infinity, ...waits);
	}
	postpone(change, isOver) {
		const ms = change.later ? Math.min(LONGEST_WAIT_MS, change.later.ms * 2) : FIRST_WAIT_MS;
		change.later = {
			at: performance.now() + ms,
			ms
		};
		if (!isOver) return;
		this.forget(change.wire.name);
		change.resolve();
	}
	disconnected() {
		this.underWay.clear();
		for (const change of this.changes.filter(({ kind }) => kind === "remove")) {
			for (const added of this.changes.filter((one) => one.kind !== "remove" && one.wire.name === change.wire.name && one.wire.receiver === change.wire.receiver)) {
				this.drop(added);
				if (added.kind !== "remove") added.reject(new ClosedError());
			}
			this.removed(change);
		}
	}
	opening(bookmark, isCautious = false) {
		const wires = this.restored;
		let first;
		for (const { kind, wire } of this.changes) {
			if (kind !== "add" || isCautious && wires.length > 0) continue;
			if (wire.since && bookmark) continue;
			if (wire.since && first && !isSameSince(wire.since, first)) continue;
			first ??= wire.since;
			wires.push(wire);
		}
		return {
			wires,
			since: bookmark ?? (first && wireSince(first))
		};
	}
	begin(wires) {
		for (const { name, receiver } of wires) {
			this.routes.set(name, receiver);
			this.underWay.add(name);
		}
		for (const receiver of new Set(wires.map(({ receiver }) => receiver))) receiver.began();
	}
	accept(wires) {
		return wires.flatMap((wire) => {
			const change = this.changeOf(wire);
			this.accepted.set(wire.name, wire);
			this.underWay.delete(wire.name);
			if (!change) return [];
			this.drop(change);
			this.taken(wire.name);
			if (wire.snapshot) this.owed.add(wire.name);
			const leaving = new Set(this.changes.filter(({ kind }) => kind === "remove").map(({ wire: { name } }) => name));
			const old = this.restored.find(({ name, receiver }) => receiver === wire.receiver && name !== wire.name && !leaving.has(name));
			if (change.kind === "replace" && old) this.changes.unshift({
				kind: "remove",
				wire: old,
				resolve: () => {}
			});
			wire.receiver.accepted(wire);
			return [change];
		});
	}
	tooSoon(change) {
		change.wasTooSoon = true;
		this.underWay.delete(change.wire.name);
		this.forget(change.wire.name);
	}
	refuse(wire, error) {
		const change = this.changeOf(wire);
		if (change) this.drop(change);
		this.underWay.delete(wire.name);
		if (change?.kind === "replace") {
			if (!this.accepted.has(wire.name)) this.routes.delete(wire.name);
			return change.reject(error);
		}
		this.forget(wire.name);
		change?.reject(error);
		for (const other of this.changes.filter((one) => one.wire.receiver === wire.receiver)) {
			this.drop(other);
			if (other.kind === "remove") other.resolve();
			else other.reject(error);
		}
		wire.receiver.failed(error);
	}
	atFault(wires, name) {
		const named = wires.find((wire) => wire.name === name);
		const added = wires.filter((wire) => this.changeOf(wire));
		return named ?? added.at(-1) ?? (wires.length === 1 ? wires[0] : void 0);
	}
	isNew(wire) {
		return this.changeOf(wire) !== void 0;
	}
	removed(change) {
		this.drop(change);
		this.forget(change.wire.name);
		if (change.kind === "remove") change.resolve();
	}
	owing(wires) {
		return wires.filter(({ name }) => this.owed.has(name));
	}
	paid(wires) {
		for (const { name } of wires) this.owed.delete(name);
	}
	abandon(error) {
		const receivers = new Set([...this.receivers, ...this.changes.map(({ wire }) => wire.receiver)]);
		const { changes } = this;
		this.changes = [];
		this.accepted.clear();
		this.routes.clear();
		this.owed.clear();
		this.underWay.clear();
		for (const change of changes) if (change.kind === "remove") change.resolve();
		else change.reject(error);
		for (const receiver of receivers) receiver.failed(error);
	}
	enqueue(kind, wire) {
		const replaced = kind === "replace" ? wire.receiver : void 0;
		const why = excess([...this.planned().filter(({ name, receiver }) => name !== wire.name && receiver !== replaced), wire]);
		if (why !== void 0) return Promise.reject(new RequestError("limit_exceeded", why, "subscribe"));
		return new Promise((resolve, reject) => this.changes.push({
			kind,
			wire,
			resolve,
			reject
		}));
	}
	planned() {
		const planned = new Map(this.accepted);
		for (const change of this.changes) {
			if (change.kind === "remove") {
				planned.delete(change.wire.name);
				continue;
			}
			if (change.kind === "replace") {
				for (const [name, { receiver }] of planned) if (receiver === change.wire.receiver) planned.delete(name);
			}
			planned.set(change.wire.name, change.wire);
		}
		return [...planned.values()];
	}
	taken(name) {
		for (const change of this.changes) {
			if (change.kind !== "remove" || !change.later || change.wire.name !== name) continue;
			this.drop(change);
			change.resolve();
		}
	}
	changeOf(wire) {
		return this.changes.find((change) => change.kind !== "remove" && change.wire === wire);
	}
	forget(name) {
		this.accepted.delete(name);
		this.routes.delete(name);
		this.owed.delete(name);
	}
	drop(change) {
		this.changes = this.changes.filter((other) => other !== change);
	}
};
// src/resumption.ts
var Resumption = class {
	place;
	gap;
	wasTooSoon = false;
	get bookmark() {
		return this.place && { ...this.place };
	}
	seen(position) {
		if (this.place && typeof position === "string" && position > this.place.position) this.place.position = position;
	}
	answered(answer, hasAsked) {
		const { gap } = this;
		this.gap = void 0;
		this.wasTooSoon = false;
		const isDue = hasAsked || gap !== void 0;
		const recovered = answer["recovered"] ?? (isDue ? false : void 0);
		const step = {
			bookmark: bookmarkOf(answer),
			continues: recovered === true
		};
		if (recovered === void 0) return {
			step,
			verdict: void 0
		};
		return {
			step,
			verdict: recovered === true ? { recovered } : notRecovered(answer, gap?.since)
		};
	}
	accepted(answer) {
		const isLost = answer["recovered"] === false;
		const verdict = isLost ? notRecovered(answer, void 0) : answer["recovered"] === true ? { recovered: true } : void 0;
		return {
			step: {
				bookmark: bookmarkOf(answer),
				continues: !isLost
			},
			verdict
		};
	}
	proceed({ bookmark, continues }) {
		const before = this.place;
		this.place = bookmark;
		if (continues && before && bookmark && before.position > bookmark.position) bookmark.position = before.position;
	}
	lost(heardAt) {
		this.gap ??= { since: heardAt };
	}
	forget() {
		this.place = this.gap = void 0;
	}
	withoutHistory() {
		this.place = void 0;
	}
	isTooSoon() {
		const before = this.wasTooSoon;
		this.wasTooSoon = true;
		return !before;
	}
};
function bookmarkOf({ position, session }) {
	return typeof position === "string" && typeof session === "string" ? {
		position,
		session
	} : void 0;
}
function notRecovered({ reason }, missedSince) {
	return {
		recovered: false,
		reason: typeof reason === "string" ? reason : "unavailable",
		missedSince
	};
}
// src/router.ts
var Router = class {
	registry;
	resumption;
	seen;
	deliver;
	constructor(registry, resumption, seen, deliver) {
		this.registry = registry;
		this.resumption = resumption;
		this.seen = seen;
		this.deliver = deliver;
	}
	take(link, message) {
		const receivers = this.receivers(link, message);
		if (message["type"] === "entitySnapshot") {
			for (const receiver of receivers) receiver.snapshotItem(message);
			return;
		}
		if (link.takesPositions) this.resumption.seen(message["position"]);
		const isReplayed = message["replayed"] === true;
		let isNew = false;
		for (const receiver of receivers) {
			if (isReplayed && link.fresh.has(receiver.id)) continue;
			if (!this.isNew(message, receiver)) continue;
			isNew = true;
			if (isReplayed) link.replayed.of.set(receiver.id, (link.replayed.of.get(receiver.id) ?? 0) + 1);
			receiver.event(message);
		}
		if (!isNew) return;
		if (isReplayed) link.replayed.all += 1;
		this.deliver(message);
	}
	isNew({ id, state }, receiver) {
		return state !== void 0 || typeof id !== "string" || this.seen.insert(id, receiver.id);
	}
	receivers({ routes }, { subscriptions }) {
		if (!Array.isArray(subscriptions)) return this.registry.routed;
		const receivers = subscriptions.map((name) => this.registry.receiverOf(String(name)));
		return new Set(receivers.filter((receiver, place) => receiver !== void 0 && routes.get(String(subscriptions[place])) === receiver));
	}
};
// src/seen.ts
const TIME_MS = 9e5;
const MOST = 1e5;
var SeenEvents = class {
	online;
	most;
	known = new Map();
	constructor(online, most = MOST) {
		this.online = online;
		this.most = most;
	}
	insert(id, subscription) {
		const now = this.online.at();
		for (const [key, time] of this.known) {
			if (now - time <= TIME_MS) break;
			this.known.delete(key);
		}
		const key = `${subscription} ${id}`;
		if (this.known.has(key)) return false;
		this.known.set(key, now);
		if (this.known.size > this.most) for (const oldest of this.known.keys()) {
			this.known.delete(oldest);
			break;
		}
		return true;
	}
	get size() {
		return this.known.size;
	}
};
// src/lock.ts
var Lock = class {
	last = Promise.resolve();
	run(task) {
		const result = this.last.then(task);
		this.last = result.catch(() => {});
		return result;
	}
};
// src/snapshot.ts
const PAUSE_MS$1 = 1e3;
const FAILURES = 5;
const RESTARTS = 3;
async function receiveSnapshot(answer, requests) {
	let failures = 0;
	let restarts = 0;
	let part = answer ?? await requests.begin();
	for (;;) {
		const next = part["snapshotNext"];
		if (typeof next !== "string" || !requests.isWanted()) return;
		if (!part["snapshot"]) await requests.pause(PAUSE_MS$1);
		try {
			part = await requests.proceed(next);
			failures = 0;
		} catch (error) {
			if (!(error instanceof RequestError)) throw error;
			if (error.code === "invalid_snapshot_token" && restarts < RESTARTS) {
				restarts += 1;
				part = await requests.begin();
			} else if ((error.code === "internal" || error.code === "conflict") && failures < FAILURES) {
				failures += 1;
				await requests.pause(PAUSE_MS$1);
			} else throw new ConnectionError("server_error", `the server did not answer the request for a snapshot: ${error.message}`, { cause: error });
		}
	}
}
// src/subscriptions.ts
const QUIET_MS = 1e3;
const ATTEMPTS = 4;
const ATTEMPT_MS = 500;
var Subscriptions = class {
	registry;
	resumption;
	settings;
	judged;
	lock = new Lock();
	isCautious = false;
	constructor(registry, resumption, settings, judged) {
		this.registry = registry;
		this.resumption = resumption;
		this.settings = settings;
		this.judged = judged;
	}
	open(link) {
		return this.lock.run(async () => {
			for (;;) {
				this.registry.disconnected();
				if (this.registry.restored.length === 0) this.resumption.forget();
				const { wires, since } = this.registry.opening(this.bookmark, this.isCautious);
				if (wires.length === 0) return void 0;
				const isNew = wires.map((wire) => this.registry.isNew(wire));
				this.begin(link, wires);
				wires.forEach(({ receiver, since }, place) => {
					if (isNew[place] && !since) link.fresh.add(receiver.id);
				});
				try {
					let opened;
					await this.subscribe(link, wires, true, since, (answer) => {
						const told = wires.filter((wire, place) => !isNew[place] || wire.since).map(({ receiver }) => receiver);
						opened = this.opened(link, wires, told, since !== void 0, answer);
					});
					return opened;
				} catch (error) {
					this.refused(wires, since !== void 0, error);
				}
			}
		});
	}
	join(link, promote) {
		return this.lock.run(async () => {
			const wires = this.registry.restored;
			if (wires.length === 0) return false;
			const since = this.bookmark;
			for (const { name, receiver } of wires) link.routes.set(name, receiver);
			let isJoined = false;
			await this.subscribe(link, wires, false, since, (answer) => {
				for (const { name } of wires) link.names.add(name);
				isJoined = promote();
				if (!isJoined) return;
				this.resumption.proceed(this.resumption.accepted(answer).step);
				link.takesPositions = true;
			});
			return isJoined;
		});
	}
	work(link, isActive) {
		return this.lock.run(async () => {
			const { snapshot } = link;
			link.snapshot = void 0;
			if (snapshot && isActive()) await this.complete(link, snapshot);
			while (isActive()) {
				const change = this.registry.next(link.resumesInMs === 0);
				if (!change) return;
				if (change.kind === "remove") await this.remove(link, change);
				else await this.put(link, change);
			}
		});
	}
	async leave({ connection, names }) {
		for (const subscription of names) await connection.request("unsubscribe", { subscription }).catch(() => {});
		if (names.size > 0) await connection.quiet(QUIET_MS, this.settings.drainMs);
	}
	get isMember() {
		return this.settings.groupId !== void 0;
	}
	get bookmark() {
		return this.isMember ? void 0 : this.resumption.bookmark;
	}
	begin(link, wires) {
		link.takesPositions = false;
		link.fresh.clear();
		for (const { name, receiver } of wires) link.routes.set(name, receiver);
		this.registry.begin(wires);
	}
	async subscribe(link, wires, snapshots, since, answered) {
		if (since) link.resume();
		try {
			return await link.connection.request("subscribe", subscribeFields(wires, snapshots, since), answered);
		} finally {
			if (since) link.resumed();
		}
	}
	opened(link, wires, told, hasAsked, answer) {
		this.isCautious = false;
		const { step, verdict } = this.resumption.answered(answer, hasAsked);
		const done = this.registry.accept(wires);
		for (const { name } of wires) link.names.add(name);
		link.fresh.clear();
		const snapshots = wires.filter(({ snapshot }) => snapshot);
		if (typeof answer["snapshot"] === "number" && snapshots.length > 0) link.snapshot = {
			wires: snapshots,
			answer,
			step
		};
		else {
			this.resumption.proceed(step);
			const owing = verdict ? this.registry.owing(snapshots) : [];
			if (owing.length > 0) link.snapshot = {
				wires: owing,
				answer: void 0,
				step: void 0
			};
			else link.takesPositions = true;
		}
		return {
			verdict,
			tell: () => {
				for (const { wire, resolve } of done) resolve(filterInForce(answer, wire.name));
				if (verdict) this.judge(link, verdict, told);
			}
		};
	}
	refused(wires, hasAsked, error) {
		if (!(error instanceof RequestError)) throw error;
		if (error.code === "limit_exceeded" && hasAsked && this.resumption.isTooSoon()) throw new TooSoonError(error.message);
		if (isPassing(error)) {
			this.isCautious = error.code === "internal";
			throw new ConnectionError("server_error", error.message, { cause: error });
		}
		if (error.code === "invalid_since" && this.bookmark) return this.resumption.withoutHistory();
		const isClosed = error.code === "message_too_large" || error.code === "invalid_message";
		const wire = (error.code === "invalid_since" ? wires.find(({ since }) => since) : void 0) ?? this.registry.atFault(wires, error.subscription);
		if (isClosed && !(wire && this.registry.isNew(wire))) throw new ConnectionError("connection_lost", error.message, { cause: error });
		if (!wire) throw error;
		this.registry.refuse(wire, error);
	}
	async put(link, change) {
		const { kind, wire, resolve } = change;
		for (let attempt = 1;; attempt += 1) {
			const since = wire.since && wireSince(wire.since);
			this.begin(link, [wire]);
			if (kind === "add" && !since) link.fresh.add(wire.receiver.id);
			try {
				let step;
				let verdict;
				const answer = await this.subscribe(link, [wire], true, since, (answer) => {
					({step, verdict} = this.resumption.accepted(answer));
					this.registry.accept([wire]);
					link.names.add(wire.name);
					link.fresh.clear();
					if (wire.snapshot && !isWithout(answer)) return;
					this.resumption.proceed(step);
					link.takesPositions = !wire.snapshot;
				});
				resolve(filterInForce(answer, wire.name));
				if (verdict) this.judge(link, verdict, [wire.receiver]);
				const begun = isWithout(answer) ? {
					answer: void 0,
					step: void 0
				} : {
					answer,
					step
				};
				if (wire.snapshot) await this.complete(link, {
					wires: [wire],
					...begun
				});
				break;
			} catch (error) {
				if (!(error instanceof RequestError)) throw error;
				if (!isPassing(error) || attempt === ATTEMPTS) {
					if (since && error.code === "limit_exceeded" && !change.wasTooSoon) this.registry.tooSoon(change);
					else this.registry.refuse(wire, error);
					break;
				}
				await pause(link, ATTEMPT_MS);
			}
		}
		link.fresh.clear();
		link.takesPositions = true;
	}
	async remove(link, change) {
		const { name } = change.wire;
		for (let attempt = change.later ? ATTEMPTS : 1;; attempt += 1) {
			link.takesPositions = false;
			try {
				await link.connection.request("unsubscribe", { subscription: name }, () => link.takesPositions = true);
				break;
			} catch (error) {
				if (!(error instanceof RequestError)) throw error;
				if (!isPassing(error)) break;
			}
			if (attempt === ATTEMPTS) {
				link.takesPositions = true;
				return this.registry.postpone(change, !this.isMember);
			}
			await pause(link, ATTEMPT_MS);
		}
		link.names.delete(name);
		if (this.isMember) await link.connection.quiet(QUIET_MS, this.settings.drainMs);
		link.takesPositions = true;
		this.registry.removed(change);
	}
	async complete(link, { wires, answer, step }) {
		const receivers = new Set(wires.map(({ receiver }) => receiver));
		let held = step;
		try {
			await receiveSnapshot(answer, {
				begin: async () => {
					for (const receiver of receivers) receiver.snapshotRestarted();
					const begun = await link.connection.request("subscribe", subscribeFields(wires, true));
					const { step: next, verdict } = this.resumption.accepted(begun);
					held = held && !held.continues ? {
						...next,
						continues: false
					} : next;
					if (verdict) this.judge(link, verdict, [...receivers]);
					return begun;
				},
				isWanted: () => this.registry.isAnyWanted(receivers),
				proceed: (next) => link.connection.request("snapshot", { next }),
				pause: (ms) => pause(link, ms)
			});
		} catch (error) {
			if (!(error instanceof RequestError)) throw error;
			throw new ConnectionError("server_error", error.message, { cause: error });
		}
		this.registry.paid(wires);
		if (held) this.resumption.proceed(held);
		link.takesPositions = true;
		for (const receiver of receivers) receiver.snapshotComplete();
	}
	judge({ replayed }, verdict, receivers) {
		for (const receiver of new Set(receivers)) if (verdict.recovered) receiver.recovered(replayed.of.get(receiver.id) ?? 0);
		else receiver.notRecovered(verdict.reason, verdict.missedSince);
		this.judged(verdict, replayed.all);
	}
};
function isWithout(answer) {
	return answer["recovered"] === true && answer["snapshot"] === void 0;
}
function isPassing({ code }) {
	return code === "conflict" || code === "internal";
}
async function pause({ connection }, ms) {
	let cancel = () => {};
	await Promise.race([connection.ended, new Promise((resolve) => cancel = after(ms, resolve))]);
	cancel();
}
// src/messages.ts
function parseFrame(text, parse, unreadable = () => {}) {
	if (typeof text !== "string") return void 0;
	try {
		const value = parse(text);
		return isFrame(value) ? value : void 0;
	} catch (error) {
		unreadable(asError(error).name);
		return;
	}
}
const KINDS = new Set([
	"entityCreated",
	"entityUpdated",
	"entityDeleted",
	"entityLeft",
	"entitySnapshot"
]);
function entitiesOf(frame) {
	if (frame["type"] === "events") return Array.isArray(frame["events"]) ? frame["events"].filter(isEntity) : [];
	return isEntity(frame) ? [frame] : void 0;
}
function isEntity(value) {
	return isFrame(value) && KINDS.has(value["type"]) && typeof value["entityId"] === "string";
}
function isFrame(value) {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}
// src/refusal.ts
const ADVICE = "the token is invalid, or it is for another tenant";
const NO_TOKEN = "a token is required; pass getToken";
function endOf({ opened, code, reason, message, hasToken }) {
	const why = reason === "" ? "" : `: ${reason}`;
	const advice = hasToken ? ADVICE : NO_TOKEN;
	if (code === 1008) return new AuthenticationError("refused", `refused with close code 1008${why} (${advice})`);
	if (opened) return new ConnectionError("connection_lost", `the connection ended with close code ${code}${why}`, { closeCode: code });
	const status = Number(/server response: (\d{3})\b/.exec(message)?.[1] ?? 0) || void 0;
	if (status === 401 || status === 403) return new AuthenticationError("refused", `refused with status ${status} (${advice}${status === 403 ? ", or the URL does not end with an existing stage" : ""})`, { status });
	const passing = status === void 0 || status === 429 || status >= 500;
	const text = status !== void 0 ? `the handshake was answered with status ${status}` : message !== "" ? `cannot connect: ${message}` : "cannot connect: the server cannot be reached or refuses the handshake; this platform does not tell which";
	return new ConnectionError(passing ? "connect_failed" : "handshake_refused", text, {
		closeCode: code,
		status
	});
}
function withoutQueries(message) {
	return message.replace(/(\b[a-z]+:\/\/[^\s?'"]*)\?[^\s'"]*/gi, "$1");
}
// src/connection.ts
const FAULTS_OF_A_MESSAGE = new Map([
	[1003, "invalid_message"],
	[1007, "invalid_message"],
	[1009, "message_too_large"]
]);
const NO_CLOSE_FRAME = 1006;
const FAREWELL_MS = 2e3;
var Connection = class {
	settings;
	url;
	events;
	opened;
	ended;
	socket;
	pending = new Map();
	closed;
	heard = {
		at: Date.now(),
		tick: performance.now()
	};
	end;
	resolveEnded;
	isOpen = false;
	requests = 0;
	snapshotAt = -Infinity;
	cancelPing = () => {};
	cancelPong;
	constructor(settings, url, token, hasToken, events) {
		this.settings = settings;
		this.url = url;
		this.events = events;
		this.ended = new Promise((resolve) => this.resolveEnded = resolve);
		this.socket = open(settings, url, token);
		this.closed = new Promise((resolve) => this.listen("close", () => resolve()));
		this.opened = new Promise((resolve, reject) => {
			const cancel = after(settings.connectTimeoutMs, () => this.fail(new ConnectionError("timeout", `no connection in ${settings.connectTimeoutMs} ms`)));
			this.listen("open", () => {
				this.isOpen = true;
				this.hear();
				this.keepAlive();
				resolve();
			});
			this.ended.then(reject).finally(cancel);
			this.listen("open", cancel);
		});
		this.opened.catch(() => {});
		const over = (code, reason, message) => this.finish(endOf({
			opened: this.isOpen,
			code,
			reason,
			message,
			hasToken
		}));
		this.listen("error", ({ message }) => {
			over(NO_CLOSE_FRAME, "", typeof message === "string" ? withoutQueries(message) : "");
		});
		this.listen("close", ({ code, reason }) => {
			const text = typeof reason === "string" ? reason : "";
			this.blame(code, text);
			over(code, text, "");
		});
		this.listen("message", ({ data }) => this.read(data));
	}
	request(action, fields, answered = () => {}) {
		return new Promise((resolve, reject) => {
			if (this.end) return reject(this.end);
			const requestId = String(this.requests += 1);
			const ms = this.settings.requestTimeoutMs;
			let cancel = () => {};
			const wait = (left) => {
				cancel = after(left, () => {
					const more = this.snapshotAt + ms - performance.now();
					if (more > 0) wait(more);
					else this.fail(new ConnectionError("timeout", `no answer to ${action} in ${ms} ms`));
				});
			};
			wait(ms);
			this.pending.set(requestId, {
				action,
				answered: (frame) => {
					cancel();
					answered(frame);
					resolve(frame);
				},
				failed: (error) => {
					cancel();
					reject(error);
				}
			});
			this.send({
				action,
				...fields,
				requestId
			});
		});
	}
	ping() {
		if (this.end || !this.isOpen) return;
		this.cancelPing();
		const ms = this.settings.pongTimeoutMs;
		this.cancelPong ??= after(ms, () => this.fail(new ConnectionError("timeout", `no answer to ping in ${ms} ms`)));
		this.send({ action: this.events.hasPosition() ? "sync" : "ping" });
		this.keepAlive();
	}
	fail(error) {
		this.finish(error);
		this.socket.close();
	}
	async close() {
		this.finish(new ConnectionError("connection_lost", "closed by this client", { closeCode: 1e3 }));
		this.socket.close(1e3);
		if (!this.isOpen) return;
		let cancel = () => {};
		await Promise.race([this.closed, new Promise((resolve) => cancel = after(FAREWELL_MS, resolve))]);
		cancel();
	}
	get heardAt() {
		return new Date(this.heard.at);
	}
	async quiet(quietMs, mostMs) {
		const stop = performance.now() + mostMs;
		while (!this.end) {
			const now = performance.now();
			const left = Math.min(this.heard.tick + quietMs, stop) - now;
			if (left <= 0) return;
			let cancel = () => {};
			await Promise.race([this.ended, new Promise((resolve) => cancel = after(left, resolve))]);
			cancel();
		}
	}
	listen(type, listener) {
		this.socket.addEventListener(type, listener);
	}
	send(message) {
		const text = JSON.stringify(message);
		this.settings.debug({
			kind: "sent",
			what: message.action,
			size: text.length
		});
		try {
			this.socket.send(text);
		} catch {}
	}
	keepAlive() {
		this.cancelPing = after(this.settings.pingIntervalMs, () => this.ping());
	}
	finish(error) {
		if (this.end) return;
		this.end = error;
		this.cancelPing();
		this.cancelPong?.();
		for (const { failed } of this.pending.values()) failed(error);
		this.pending.clear();
		this.resolveEnded(error);
	}
	hear() {
		this.heard = {
			at: Date.now(),
			tick: performance.now()
		};
	}
	blame(code, reason) {
		const kind = FAULTS_OF_A_MESSAGE.get(code);
		if (!kind || this.end) return;
		for (const [requestId, { action, failed }] of this.pending) {
			if (action === "authenticate") continue;
			this.pending.delete(requestId);
			failed(new RequestError(kind, `the server closed the connection because of this message: ${code} ${reason}`.trimEnd(), action));
		}
	}
	read(data) {
		this.hear();
		this.cancelPong?.();
		this.cancelPong = void 0;
		const frame = parseFrame(data, this.settings.parse, (kind) => this.events.unreadable(kind));
		if (!frame) return;
		const { type, requestId } = frame;
		this.settings.debug({
			kind: "received",
			what: typeof type === "string" ? type : "unknown",
			size: String(data).length
		});
		const entities = entitiesOf(frame);
		if (entities) {
			for (const entity of entities) {
				if (entity["type"] === "entitySnapshot") this.snapshotAt = performance.now();
				this.events.entity(entity);
			}
			return;
		}
		if (this.end) return;
		if (type === "synced") return this.events.synced(frame["position"]);
		if (type === void 0) return this.gatewayFailed(frame);
		const pending = typeof requestId === "string" ? this.pending.get(requestId) : void 0;
		if (!pending) return this.complained(frame);
		this.pending.delete(requestId);
		if (type === "error") pending.failed(requestError(frame, pending.action));
		else pending.answered(frame);
	}
	complained({ type, code, action }) {
		if (type !== "error") return;
		if (code === "not_connected") this.fail(new ConnectionError("server_error", "the server does not know the connection any more"));
		else if (action === "sync" && (code === "not_available" || code === "unknown_action")) this.events.withoutHistory();
	}
	gatewayFailed({ message }) {
		if (this.pending.size === 0) return;
		this.fail(new ConnectionError("server_error", `the gateway answered: ${String(message)}`));
	}
};
function open({ WebSocket }, url, token) {
	try {
		return new WebSocket(url, token === void 0 ? [] : ["access_token", token]);
	} catch (thrown) {
		throw new ConnectionError("handshake_refused", `cannot connect: this platform refuses the URL (${asError(thrown).name})`);
	}
}
function requestError(frame, action) {
	const code = String(frame["code"]);
	const message = typeof frame["message"] === "string" ? frame["message"] : "the server gave no reason";
	const later = action === "authenticate" && (code === "limit_exceeded" || code === "conflict");
	if (code === "internal" && ![
		"snapshot",
		"subscribe",
		"unsubscribe"
	].includes(action) || code === "not_connected" || later) return new ConnectionError("server_error", message);
	if (code === "unauthorized" || code === "forbidden") return new AuthenticationError("refused", message);
	const { subscription } = frame;
	return new RequestError(code, message, action, typeof subscription === "string" ? subscription : void 0);
}
// src/token.ts
const SENDABLE = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
var RefusedToken = class {
	last;
	remember(token, error) {
		if (token !== void 0 && error.code === "refused") this.last = {
			token,
			error
		};
	}
	check(token) {
		if (this.last?.token === token) throw this.last.error;
	}
	forget() {
		this.last = void 0;
	}
};
async function fetchToken({ getToken, connectTimeoutMs: ms }, refused, signal) {
	if (!getToken) return void 0;
	if (signal?.aborted) throw new ClosedError();
	let token;
	try {
		const late = () => new ConnectionError("token_unavailable", `getToken returned nothing in ${ms} ms`);
		token = await within(ms, Promise.resolve(getToken()), late, signal);
	} catch (thrown) {
		if (thrown instanceof EntityStreamError) throw thrown;
		throw new ConnectionError("token_unavailable", `getToken failed: ${asError(thrown).message}`, { cause: thrown });
	}
	if (token === void 0 || token === null || token === "") return void 0;
	if (typeof token !== "string" || !SENDABLE.test(token)) throw new AuthenticationError("invalid_token", "getToken returned a value that is not a token; return only the token, without `Bearer`");
	refused.check(token);
	return token;
}
var TokenClock = class {
	lag = 0;
	now(token) {
		const now = Date.now();
		const { iat } = claims(token);
		if (typeof iat === "number") this.lag = Math.max(this.lag, iat * 1e3 - now);
		return now + this.lag;
	}
	left(token) {
		const { exp, iat } = claims(token);
		if (typeof exp !== "number") return void 0;
		const life = typeof iat === "number" && exp > iat ? (exp - iat) * 1e3 : void 0;
		const left = exp * 1e3 - this.now(token);
		if (left <= 0) return life;
		return life === void 0 ? left : Math.min(left, life);
	}
};
async function proofFor({ dpop }, token, url, clock) {
	if (!dpop) return void 0;
	const { cnf, exp } = claims(token);
	if (exp !== void 0 && cnf === void 0) return void 0;
	return prove(dpop.keyPair, token, url, clock.now(token));
}
function claims(token) {
	try {
		const payload = token.split(".")[1]?.replaceAll("-", "+").replaceAll("_", "/") ?? "";
		return JSON.parse(atob(payload)) ?? {};
	} catch {
		return {};
	}
}
// src/renewal.ts
const PAUSE_MS = 1e3;
function keepFresh(connection, first, settings, clock, refused, report) {
	let token = first;
	let cancel = () => {};
	let cancelEnd = () => {};
	let over = false;
	connection.ended.then(() => {
		over = true;
		cancel();
		cancelEnd();
	});
	const schedule = () => {
		const left = clock.left(token);
		if (left === void 0) return;
		const end = performance.now() + left;
		cancelEnd();
		cancelEnd = after(left, () => connection.fail(new AuthenticationError("token_expired", "the token expired before getToken returned a fresh one")));
		cancel = after(left - Math.min(settings.renewBeforeMs, left / 2), () => void renew(end));
	};
	const renew = async (end) => {
		let fresh;
		try {
			fresh = await fetchToken(settings, refused);
			if (over) return;
			if (fresh !== void 0 && fresh !== token) {
				const proof = await proofFor(settings, fresh, connection.url, clock);
				if (over) return;
				await connection.request("authenticate", {
					token: fresh,
					...proof === void 0 ? {} : { proof }
				});
				token = fresh;
				return schedule();
			}
		} catch (error) {
			if (over) return;
			if (error instanceof AuthenticationError) refused.remember(fresh, error);
			if (error instanceof EntityStreamError) report(error);
			if (error instanceof AuthenticationError) return;
		}
		cancel = after(Math.max(PAUSE_MS, (end - performance.now()) / 3), () => void renew(end));
	};
	schedule();
}
// src/link.ts
const RESUME_INTERVAL_MS = 1e4;
var Link = class {
	connection;
	takesPositions = false;
	names = new Set();
	routes = new Map();
	fresh = new Set();
	replayed = {
		all: 0,
		of: new Map()
	};
	snapshot;
	resumedAt = -Infinity;
	get resumesInMs() {
		return Math.max(0, this.resumedAt + RESUME_INTERVAL_MS - performance.now());
	}
	resume() {
		this.replayed = {
			all: 0,
			of: new Map()
		};
	}
	resumed() {
		this.resumedAt = performance.now();
	}
};
async function openLink({ settings, clock, refused, events, trouble }, token, signal) {
	if (signal.aborted) throw new ClosedError();
	const inBand = settings.authenticate === "first-message" && token !== void 0;
	const link = new Link();
	const connection = new Connection(settings, target(settings), inBand ? void 0 : token, token !== void 0, events(link));
	link.connection = connection;
	const abort = () => void connection.close();
	signal.addEventListener("abort", abort);
	try {
		await connection.opened;
		if (token !== void 0) {
			const proof = await proofFor(settings, token, connection.url, clock);
			if (inBand) await connection.request("authenticate", {
				token,
				...proof === void 0 ? {} : { proof }
			});
			else if (proof !== void 0) await connection.request("dpop_bind", { proof });
		}
	} catch (error) {
		const closed = connection.close();
		if (signal.aborted) await closed;
		throw error;
	} finally {
		signal.removeEventListener("abort", abort);
	}
	if (token !== void 0) keepFresh(connection, token, settings, clock, refused, trouble);
	return link;
}
// src/supervisor.ts
const IDLE_MS = 1e3;
var Supervisor = class {
	context;
	subscriptions;
	resumption;
	events;
	backoff;
	links = new Set();
	active;
	running;
	rotation;
	unused;
	tellLoss = () => {};
	cancelIdle = () => {};
	cancelLater = () => {};
	stopping = new AbortController();
	constructor(context, subscriptions, resumption, events) {
		this.context = context;
		this.subscriptions = subscriptions;
		this.resumption = resumption;
		this.events = events;
		this.backoff = new Backoff(context.settings.backoffMinMs, context.settings.backoffMaxMs);
	}
	proceed() {
		const { registry } = this.subscriptions;
		if (this.active) return this.work(this.active);
		if (!registry.isUnderWay) registry.disconnected();
		if (!registry.isWanted) this.backoff.skip();
		this.running ??= this.run().finally(() => {
			this.running = void 0;
			if ((registry.isWanted || registry.hasChanges) && !this.stopping.signal.aborted) this.proceed();
		});
	}
	wake() {
		this.backoff.hurry();
		this.active?.connection.ping();
	}
	async stop() {
		this.stopping.abort();
		this.rotation?.abort();
		this.cancelIdle();
		this.cancelLater();
		this.backoff.skip();
		await Promise.all([...this.links].map((link) => this.leave(link)));
		await this.running;
	}
	get settings() {
		return this.context.settings;
	}
	async leave(link) {
		if (this.settings.groupId !== void 0) await this.subscriptions.leave(link);
		await link.connection.close();
	}
	async run() {
		const { signal } = this.stopping;
		const { registry } = this.subscriptions;
		let wasRefused = false;
		while (!signal.aborted) {
			registry.disconnected();
			if (!registry.isWanted) {
				this.resumption.forget();
				return this.events.state("idle", {});
			}
			this.events.state("connecting", {});
			let token;
			let error;
			try {
				token = await fetchToken(this.settings, this.context.refused, signal);
				const link = await this.open(token, signal);
				const opened = await this.openSubscriptions(link, signal);
				wasRefused = false;
				if (!opened) continue;
				this.watch(link);
				const { verdict } = opened;
				const missedSince = verdict && !verdict.recovered ? verdict.missedSince : void 0;
				this.events.state("connected", missedSince ? { missedSince } : {});
				opened.tell();
				this.work(link);
				error = await this.untilLost();
				if (this.unused === link) continue;
			} catch (thrown) {
				error = asError(thrown);
			}
			this.events.online(false);
			registry.disconnected();
			if (signal.aborted) return;
			if (!registry.isWanted) continue;
			const failure = error instanceof EntityStreamError ? error : new EntityStreamError("internal", error.message, { cause: error });
			if (failure instanceof AuthenticationError) this.context.refused.remember(token, failure);
			const isRefusal = failure instanceof AuthenticationError && failure.code === "refused";
			if (isFinal(failure) || isRefusal && (wasRefused || !this.settings.getToken)) {
				registry.abandon(failure);
				this.resumption.forget();
				this.context.refused.forget();
				this.events.state("failed", { error: failure });
				return this.events.trouble(failure);
			}
			wasRefused ||= isRefusal;
			await this.pause(failure);
		}
	}
	async openSubscriptions(link, signal) {
		const abort = () => void link.connection.close();
		signal.addEventListener("abort", abort);
		try {
			const opened = await this.subscriptions.open(link);
			if (opened) this.active = link;
			else await link.connection.close();
			return opened;
		} catch (error) {
			link.connection.close();
			throw error;
		} finally {
			signal.removeEventListener("abort", abort);
		}
	}
	async pause(error) {
		const least = error instanceof TooSoonError ? error.waitMs : 0;
		const retryInMs = Math.max(this.backoff.next(), least);
		const waited = this.backoff.wait(retryInMs, least);
		this.events.state("waiting", {
			error,
			retryInMs
		});
		this.events.trouble(error);
		if (this.stopping.signal.aborted) this.backoff.skip();
		await waited;
	}
	async open(token, signal) {
		const link = await openLink(this.context, token, signal);
		if (signal.aborted) {
			await link.connection.close();
			throw new ClosedError();
		}
		this.links.add(link);
		this.events.online(true);
		link.connection.ended.then(() => this.links.delete(link));
		return link;
	}
	watch(link) {
		const { stableAfterMs, rotateAfterMs } = this.settings;
		const cancelStable = after(stableAfterMs, () => this.backoff.reset());
		const cancelRotation = after(rotateAfterMs * (1 - Math.random() / 10), () => void this.rotate(link));
		link.connection.ended.then((error) => {
			cancelStable();
			cancelRotation();
			if (this.active === link) this.lost(link, error);
		});
	}
	work(link) {
		this.cancelIdle();
		this.cancelLater();
		this.subscriptions.work(link, () => this.active === link).then(() => {
			if (this.active !== link) return;
			this.cancelIdle();
			this.cancelLater();
			const { registry } = this.subscriptions;
			if (registry.isWanted) this.cancelLater = after(registry.nextInMs(link.resumesInMs), () => this.proceed());
			else this.cancelIdle = after(IDLE_MS, () => void this.leave(this.unused = link));
		}, (error) => link.connection.fail(error));
	}
	untilLost() {
		return new Promise((resolve) => this.tellLoss = resolve);
	}
	lost(link, error) {
		this.active = void 0;
		link.takesPositions = false;
		this.rotation?.abort();
		this.cancelIdle();
		this.cancelLater();
		this.resumption.lost(link.connection.heardAt);
		for (const receiver of this.subscriptions.registry.receivers) receiver.lost();
		this.tellLoss(error);
	}
	async rotate(old, wasRefused = false) {
		if (this.active !== old || this.stopping.signal.aborted) return;
		const { signal } = this.rotation = new AbortController();
		let next;
		let token;
		const abort = () => void next?.connection.close();
		signal.addEventListener("abort", abort);
		try {
			token = await fetchToken(this.settings, this.context.refused, signal);
			const link = next = await this.open(token, signal);
			if (await this.subscriptions.join(link, () => {
				if (signal.aborted || this.active !== old) return false;
				this.active = link;
				old.takesPositions = false;
				return true;
			})) {
				this.watch(link);
				this.work(link);
				const cancel = after(this.settings.groupId === void 0 ? this.settings.drainMs : 0, () => void this.leave(old));
				old.connection.ended.then(cancel);
				return;
			}
			link.connection.close();
		} catch (thrown) {
			next?.connection.close();
			if (signal.aborted) return;
			if (thrown instanceof EntityStreamError) this.events.trouble(thrown);
			if (thrown instanceof AuthenticationError) {
				this.context.refused.remember(token, thrown);
				if (thrown.code !== "refused" || wasRefused || !this.settings.getToken) return;
				wasRefused = true;
			}
		} finally {
			signal.removeEventListener("abort", abort);
		}
		const cancel = after(this.settings.backoffMaxMs * (.5 + Math.random() / 2), () => void this.rotate(old, wasRefused));
		old.connection.ended.then(cancel);
	}
};
// src/wake.ts
const LOOK_MS = 3e4;
function onWake(callback) {
	const surroundings = globalThis;
	const { document } = surroundings;
	const visible = () => {
		if (document?.visibilityState === "visible") callback();
	};
	surroundings.addEventListener?.("online", callback);
	document?.addEventListener?.("visibilitychange", visible);
	document?.addEventListener?.("resume", callback);
	let last = Date.now();
	const timer = setInterval(() => {
		const now = Date.now();
		if (now - last > 15e4) callback();
		last = now;
	}, LOOK_MS);
	timer.unref?.();
	return () => {
		surroundings.removeEventListener?.("online", callback);
		document?.removeEventListener?.("visibilitychange", visible);
		document?.removeEventListener?.("resume", callback);
		clearInterval(timer);
	};
}
// src/stream.ts
var EntityStream = class {
	emitter = new Emitter();
	registry = new Registry();
	resumption = new Resumption();
	time = new OnlineTime();
	supervisor;
	host;
	stopWaking;
	debug;
	current = "idle";
	closing;
	constructor(options) {
		const complete = settings(options);
		this.debug = complete.debug;
		const { registry, resumption } = this;
		const router = new Router(registry, resumption, new SeenEvents(this.time), (event) => this.emitter.emit("event", event));
		const subscriptions = new Subscriptions(registry, resumption, complete, (verdict, replayed) => {
			if (verdict.recovered) this.emitter.emit("recovered", { replayed });
			else this.emitter.emit("notRecovered", {
				reason: verdict.reason,
				missedSince: verdict.missedSince
			});
		});
		const trouble = (error) => this.emitter.emit("error", error);
		const context = {
			settings: complete,
			clock: new TokenClock(),
			refused: new RefusedToken(),
			trouble,
			events: (link) => ({
				entity: (message) => router.take(link, message),
				synced: (position) => {
					if (link.takesPositions) resumption.seen(position);
				},
				unreadable: (kind) => trouble(new EntityStreamError("unreadable", `a message of the server was skipped: parse threw ${kind}`)),
				withoutHistory: () => resumption.withoutHistory(),
				hasPosition: () => resumption.bookmark !== void 0
			})
		};
		this.supervisor = new Supervisor(context, subscriptions, resumption, {
			trouble,
			state: (state, detail) => this.change(state, detail),
			online: (isOnline) => isOnline ? this.time.online() : this.time.offline()
		});
		const isMember = complete.groupId !== void 0;
		const isHeard = () => this.emitter.has("error") || this.emitter.has("state");
		this.host = {
			registry,
			tenant: complete.tenant.toLowerCase(),
			isMember,
			isHeard,
			proceed: () => this.supervisor.proceed()
		};
		this.stopWaking = onWake(() => this.wake());
	}
	get state() {
		return this.current;
	}
	get bookmark() {
		return this.resumption.bookmark;
	}
	on(name, listener) {
		return this.emitter.on(name, listener);
	}
	once(name, listener) {
		return this.emitter.once(name, listener);
	}
	off(name, listener) {
		this.emitter.off(name, listener);
	}
	subscribe(filter = {}, options = {}) {
		refuseUnknown("a subscription", options, SUBSCRIBE_OPTIONS);
		checkedIterator(options);
		checkedType("snapshot", options.snapshot, "boolean");
		const since = checkedSince(options.since);
		this.check(options, options.snapshot ? "snapshots" : since ? "past events" : void 0);
		return new Subscription(this.host, checkedFilter(filter), {
			...options,
			since
		});
	}
	entities(filter = {}, options = {}) {
		refuseUnknown("a collection", options, ENTITIES_OPTIONS);
		checkedType("load", options.load, "function");
		checkedType("servicePath", options.servicePath, "string");
		checkedType("wholeEntity", options.wholeEntity, "boolean");
		if (options.wholeEntity === false && !options.load) throw new TypeError("wholeEntity: false needs load: without entity state the service has no snapshot");
		this.check(options, options.load ? void 0 : "snapshots; pass load");
		return new Entities(this.host, filterOfEntities(filter, options.wholeEntity), { ...options }, this.time);
	}
	wake() {
		this.supervisor.wake();
	}
	close() {
		this.closing ??= this.shutDown();
		return this.closing;
	}
	[Symbol.asyncDispose]() {
		return this.close();
	}
	check({ name, signal }, notForGroups) {
		if (this.closing) throw new ClosedError();
		checkedSignal(signal);
		checkedType("name", name, "string");
		if (this.host.isMember && notForGroups !== void 0) throw new TypeError(`a member of a group has no ${notForGroups}`);
		if (name === void 0) return;
		if (!/^[A-Za-z0-9_.:-]{1,64}$/.test(name)) throw new TypeError("name has to be 1 to 64 characters of A-Z a-z 0-9 _ - . :");
		if (!this.registry.isFree(name)) throw new TypeError(`the stream has a subscription with the name \`${name}\` already`);
	}
	async shutDown() {
		this.stopWaking();
		const stopped = this.supervisor.stop();
		if (this.host.isMember) await stopped;
		this.registry.abandon(new ClosedError());
		this.change("closed", {});
		await stopped;
	}
	change(state, detail) {
		const previous = this.current;
		if (previous === "closed" || state === previous && state === "idle") return;
		this.current = state;
		this.debug({
			kind: "state",
			what: state,
			...detail.error ? { error: detail.error.code } : {}
		});
		this.emitter.emit("state", {
			state,
			previous,
			...detail
		});
	}
};
export { AuthenticationError, ClosedError, ConnectionError, Entities, EntityStream, EntityStreamError, OverflowError, RequestError, Subscription, dpopThumbprint, generateDpopKey };
