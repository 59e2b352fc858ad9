const KINDS = { entityCreated: 'created', entityUpdated: 'updated', entityDeleted: 'deleted' };

const listed = (list, text = (names) => names) => (list?.length > 0 ? text(list.join(', ')) : null);

function place(query) {
  if (!query) return null;
  const { georel, geometry, coordinates, geoproperty } = query;
  return `${geoproperty ? `${geoproperty} ` : ''}${georel} ${geometry} ${JSON.stringify(coordinates)}`;
}

/** The selection and the view of a subscription, on one line. */
export function describe(subscription) {
  const { entityTypes, entityIds, idPattern, notificationTrigger, watchedAttributes, q, geoQ, servicePath } = subscription;
  const { attributes, representation } = subscription;
  const parts = [
    listed(entityTypes),
    listed(entityIds),
    idPattern && `id ~ ${idPattern}`,
    listed(notificationTrigger?.map((kind) => KINDS[kind] ?? kind), (kinds) => `${kinds} only`),
    listed(watchedAttributes, (names) => `changes of ${names}`),
    q,
    place(geoQ),
    servicePath && `in ${servicePath}`,
    listed(attributes, (names) => `shows ${names}`),
    representation && `as ${representation}`,
  ];
  return parts.filter(Boolean).join(' · ') || 'every change';
}
