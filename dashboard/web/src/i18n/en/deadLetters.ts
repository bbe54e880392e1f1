import type { Catalogue } from '../zh';

export const deadLetters: Catalogue['deadLetters'] = {
  title: 'Dead letters',
  intro: 'Sensor messages that could not be decoded. Once the device or format is corrected, new messages are taken; these are not.',
  total: (n) => `${n} kept`,
  empty: 'No dead letters',
  emptyHint: 'Every message could be decoded.',
  columns: { at: 'Time', source: 'Source', topic: 'Topic', reason: 'Reason', bytes: 'Size', broker: 'Broker', payload: 'Payload' },
  noSource: 'unknown source',
  refresh: 'Refresh',
  detail: 'Message',
  bytes: (n) => `${n} bytes`,
  head: (shown, all) => `The first ${shown} of ${all} bytes`,
  openSource: 'Source details',
  more: 'Loading earlier messages…',
  end: 'Nothing earlier',
};
