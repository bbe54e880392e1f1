import type { Catalogue } from '../zh';

export const rules: Catalogue['rules'] = {
  title: 'Rules',
};
