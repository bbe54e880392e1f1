import type { Catalogue } from '../zh';

export const report: Catalogue['report'] = {
  title: 'Report an incident',
};
