import type { Catalogue } from '../zh';

export const audit: Catalogue['audit'] = {
  title: 'Audit',
};
