import type { Catalogue } from '../zh';

export const deadLetters: Catalogue['deadLetters'] = {
  title: 'Dead letters',
};
