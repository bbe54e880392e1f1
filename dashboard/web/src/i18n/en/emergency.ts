import type { Catalogue } from '../zh';

export const emergency: Catalogue['emergency'] = {
  open: 'Emergency mode…',
  title: 'Begin emergency mode',
  about:
    'The cameras of the area are connected first, all pulled, and keep more video. When the places are used up, the rest make room in this order: what nobody watches, then key sites, last what people watch. Residents’ own cameras are left out. It is recorded in the audit.',
  area: 'Area',
  areaMissing: 'Choose the area',
  reason: 'Reason',
  reasonMissing: 'Say why',
  hours: 'For how many hours (1 to 72)',
  begin: 'Begin emergency mode',
  begun: (n) => `Emergency mode is on; ${n} streams newly opened`,
  bar: (names) => `Emergency mode: ${names}`,
  and: ', ',
  streams: (n, cameras) => `${cameras} cameras in the area, ${n} streams pulled`,
  refused: (n) => `${n} found no place`,
  shed: (n) => `${n} streams elsewhere made room`,
  shedNone: 'nothing elsewhere had to make room',
  left: (time) => `${time} left`,
  end: 'End emergency mode',
  endText: 'The area’s cameras are pulled as usual again, and what made room comes back by itself.',
  ended: 'Emergency mode has ended',
};
