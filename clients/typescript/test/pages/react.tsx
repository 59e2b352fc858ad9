import { StrictMode } from 'react';
import { type Root, createRoot } from 'react-dom/client';
import { EntityStream } from '@entity-stream/client';
import { EntityStreamProvider, useConnectionState, useEntities, useEntityStream } from '@entity-stream/client/react';

/** The properties that a test can set. */
export interface Props {
  url: string;
  tenant: string;
  entityTypes: string[];
  idPattern?: string;
  token?: string;
  enabled?: boolean;
  limit?: number;
  /** The program makes the stream, and the provider takes it. */
  own?: boolean;
  /** The types of further components: each has a hook for events and one for entities. */
  more?: string[];
  render: number;
}

declare global {
  interface Window {
    sockets: WebSocket[];
    messages: string[];
    heard: { id: string; render: number }[];
    show(props: Props): void;
    hide(): void;
    own?: EntityStream;
  }
}

window.sockets = [];
window.messages = [];
window.heard = [];
window.WebSocket = class extends WebSocket {
  constructor(...parameters: ConstructorParameters<typeof WebSocket>) {
    super(...parameters);
    window.sockets.push(this);
  }

  override send(data: string): void {
    window.messages.push(data);
    super.send(data);
  }
};

/** A component with all options inline, as most programs write it. */
function Monitor({ entityTypes, idPattern, enabled, limit, render }: Props) {
  const { events, isReady, error, clear } = useEntityStream(
    { entityTypes: [...entityTypes], idPattern },
    { enabled, limit, onEvent: ({ id }) => window.heard.push({ id, render }) },
  );
  const { state, retry } = useConnectionState();
  return (
    <>
      <p id="state">{state}</p>
      <p id="ready">{String(isReady)}</p>
      <p id="error">{error ? `${error.name} ${error.code}` : 'none'}</p>
      <button onClick={clear}>Clear</button>
      <button onClick={retry}>Retry</button>
      <ul id="events">{events.map((event) => <li key={event.id}>{event.entityId}</li>)}</ul>
    </>
  );
}

function Entities({ entityTypes }: { entityTypes: string[] }) {
  const { entities, isComplete, error } = useEntities<{ t?: number }>(
    { entityTypes, representation: 'keyValues' },
    { sort: (a, b) => (b.data.t ?? 0) - (a.data.t ?? 0), filter: ({ data }) => data.t !== 0 },
  );
  return (
    <p className="entities">
      {error ? error.code : `${isComplete ? 'complete' : 'incomplete'}: ${entities.map(({ id, data }) => `${id}=${data.t}`).join()}`}
    </p>
  );
}

function Further({ type }: { type: string }) {
  const { error } = useEntityStream({ entityTypes: [type] });
  return (
    <>
      <p className="further">{error ? error.code : 'in order'}</p>
      <Entities entityTypes={[type]} />
    </>
  );
}

let root: Root | undefined;
let own: EntityStream | undefined;

window.show = (props) => {
  root ??= createRoot(document.getElementById('root')!);
  const { url, tenant, token, more } = props;
  const children = (
    <>
      <Monitor {...props} />
      {more?.map((type, place) => <Further key={place} type={type} />)}
    </>
  );
  const getToken = token === undefined ? undefined : () => Promise.resolve(token);
  if (props.own) own ??= window.own = new EntityStream({ url, tenant });
  root.render(
    <StrictMode>
      {own ? (
        <EntityStreamProvider stream={own}>{children}</EntityStreamProvider>
      ) : (
        <EntityStreamProvider url={url} tenant={tenant} getToken={getToken}>{children}</EntityStreamProvider>
      )}
    </StrictMode>,
  );
};

window.hide = () => {
  root?.unmount();
  root = undefined;
};
