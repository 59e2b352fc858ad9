import { StrictMode } from 'react';
import { type Root, createRoot } from 'react-dom/client';
import { useEntityStream } from '@entity-stream/client/react';

/** The properties that a test can set. */
export interface Props {
  url: string;
  tenant: string;
  entityTypes: string[];
  idPattern?: string;
  token?: string;
  enabled?: boolean;
  limit?: number;
  render: number;
}

declare global {
  interface Window {
    sockets: WebSocket[];
    heard: { id: string; render: number }[];
    show(props: Props): void;
    hide(): void;
  }
}

window.sockets = [];
window.heard = [];
window.WebSocket = class extends WebSocket {
  constructor(...parameters: ConstructorParameters<typeof WebSocket>) {
    super(...parameters);
    window.sockets.push(this);
  }
};

/** A component with all options inline, as most programs write it. */
function Monitor({ url, tenant, entityTypes, idPattern, token, enabled, limit, render }: Props) {
  const { events, status, isConnected, error, clear } = useEntityStream({
    url,
    tenant,
    filter: { entityTypes: [...entityTypes], idPattern },
    getToken: token === undefined ? undefined : () => Promise.resolve(token),
    onEvent: ({ id }) => window.heard.push({ id, render }),
    enabled,
    limit,
  });
  return (
    <>
      <p id="state">{status.state}</p>
      <p id="connected">{String(isConnected)}</p>
      <p id="error">{error ? `${error.name} ${error.code}` : 'none'}</p>
      <button onClick={clear}>Clear</button>
      <ul>{events.map((event) => <li key={event.id}>{event.entityId}</li>)}</ul>
    </>
  );
}

let root: Root | undefined;

window.show = (props) => {
  root ??= createRoot(document.getElementById('root')!);
  root.render(
    <StrictMode>
      <Monitor {...props} />
    </StrictMode>,
  );
};

window.hide = () => {
  root?.unmount();
  root = undefined;
};
