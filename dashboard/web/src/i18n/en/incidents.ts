import type { Catalogue } from '../zh';

export const incidents: Catalogue['incidents'] = {
  title: 'Incidents',
};
