import type { Catalogue } from '../zh';

const streams = (n: number) => (n === 1 ? '1 stream' : `${n} streams`);
const cameras = (n: number) => (n === 1 ? '1 camera' : `${n} cameras`);

export const emergency: Catalogue['emergency'] = {
  mode: 'Emergency mode',
  open: 'Emergency mode…',
  title: 'Begin emergency mode',
  about:
    "The cameras of the area are connected first, all pulled, and keep more video. When the places are used up, the rest make room in this order: what nobody watches, then key sites, last what people watch. Residents' own cameras are left out. It is recorded in the audit.",
  replaces: (names) => `Takes the place of the one that is on (${names}).`,
  area: 'Area',
  areaCameras: (n) => `${cameras(n)} in the area`,
  areaMissing: 'Choose the area',
  reason: 'Reason',
  reasonHint: 'Everyone on duty sees it, and it is recorded in the audit.',
  reasonMissing: 'Say why',
  hours: 'For how many hours (1 to 72)',
  hoursBad: 'Give a whole number from 1 to 72',
  begin: 'Begin emergency mode',
  begun: (n) => `Emergency mode is on; ${streams(n)} newly opened`,
  bar: (names) => `Emergency mode: ${names}`,
  and: ', ',
  more: 'Details',
  less: 'Less',
  because: (reason) => `Reason: ${reason}`,
  by: (name) => `Begun by ${name}`,
  streams: (n, of) => `${cameras(of)} in the area, ${streams(n)} pulled`,
  refused: (n) => `${streams(n)} of the area found no place`,
  shed: (n, parts) => `${streams(n)} elsewhere made room${parts ? ` (${parts})` : ''}`,
  shedWatched: (n) => `${n} watched`,
  shedKeySites: (n) => `${n} of key sites`,
  shedNone: 'nothing elsewhere had to make room',
  probesPaused: 'on-demand cameras elsewhere are not probed',
  left: (time) => `${time} left`,
  end: 'End emergency mode',
  endText: (names) => `The cameras of ${names} are pulled as usual again, and what made room comes back by itself.`,
  ended: 'Emergency mode has ended',
};
