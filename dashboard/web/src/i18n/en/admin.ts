import type { Catalogue } from '../zh';

export const admin: Catalogue['admin'] = {
  title: 'Administration',
};
