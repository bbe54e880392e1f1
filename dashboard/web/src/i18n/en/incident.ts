import type { Catalogue } from '../zh';

export const incident: Catalogue['incident'] = {
  title: 'Incident',
};
