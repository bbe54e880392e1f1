import type { Catalogue } from '../zh';

export const sources: Catalogue['sources'] = {
  title: 'Sources',
};
