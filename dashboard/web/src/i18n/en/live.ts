import type { Catalogue } from '../zh';

export const live: Catalogue['live'] = {
  title: 'Live video',
};
