import type { Catalogue } from '../zh';

export const overview: Catalogue['overview'] = {
  title: 'Overview',
};
