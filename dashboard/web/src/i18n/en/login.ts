import type { Catalogue } from '../zh';

export const login: Catalogue['login'] = {
  title: 'Log in',
  lead: 'The command hub of the town',
  username: 'Name',
  password: 'Password',
  submit: 'Log in',
  submitting: 'Logging in…',
  wrong: 'The name or the password is wrong',
  locked: (s) => `Too many wrong passwords; this account is locked. Try again in ${s} s, or ask the administrator.`,
  unlocked: 'The lock is over; you can log in again.',
  audit: 'Logging in, viewing video and every step leave an audit record.',
  expired: 'You were logged out; log in again.',
};
