import type { Catalogue } from '../zh';

export const incidents: Catalogue['incidents'] = {
  title: 'Incidents',
  tabs: { open: 'Open', ended: 'Ended', all: 'All' },
  filters: 'Filters',
  level: 'Level',
  hazard: 'Hazard',
  grid: 'Grid',
  search: 'Find in titles, ids, grids',
  columns: {
    level: 'Level',
    id: 'Id',
    title: 'Title',
    grid: 'Grid',
    hazard: 'Hazard',
    step: 'Step',
    people: 'Owner → responder',
    reported: 'Reported',
    age: 'Duration',
  },
  emptyOpen: 'No open incidents',
  emptyEnded: 'None has ended yet',
  emptyHint: 'What rules raise, devices miss or people report comes here.',
  count: (shown) => `${shown} incidents`,
  countMore: (shown) => `${shown} incidents; scroll down for more`,
  mine: 'Mine only',
};
