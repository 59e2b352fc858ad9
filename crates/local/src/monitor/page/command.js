/** A word for a shell, quoted if necessary. zsh gives a word that begins with `=` a meaning. */
const quoted = (word) => (/^[\w@%+:,./-][\w@%+=:,./-]*$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** The command that follows an entity in a terminal. */
export function listenCommand({ tenant, id }) {
  const isUsual = location.host === 'localhost:3000';
  const url = isUsual ? [] : ['--url', `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}`];
  // A word that begins with `-` would be an option.
  const of = id.startsWith('-') ? [`--id=${id}`] : ['--id', id];
  return ['entity-stream', 'listen', tenant, '--entities', ...of, ...url].map(quoted).join(' ');
}

/** The command that publishes an entity as it is, on this system. */
export function curlCommand({ tenant, id, type, servicePath }, data) {
  const fields = { type: 'entityUpdated', tenant, servicePath, entityId: id, entityType: type };
  const detail = `${JSON.stringify(fields).slice(0, -1)},"data":${data}}`;
  return `curl ${location.origin}/_local/events -H 'Content-Type: application/json' -d ${quoted(detail)}`;
}
