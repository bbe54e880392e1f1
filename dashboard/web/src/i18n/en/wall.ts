import type { Catalogue } from '../zh';

export const wall: Catalogue['wall'] = {
  title: 'Video wall',
};
