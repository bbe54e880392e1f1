// The Chinese catalogue, an area a file.

import { actions } from './actions';
import { common } from './common';
import { errors } from './errors';
import { shell } from './shell';
import { keys } from './keys';
import { login } from './login';
import { overview } from './overview';
import { incidents } from './incidents';
import { incident } from './incident';
import { report } from './report';
import { wall } from './wall';
import { sources } from './sources';
import { rules } from './rules';
import { deadLetters } from './deadLetters';
import { admin } from './admin';
import { audit } from './audit';
import { live } from './live';
import { emergency } from './emergency';
import { kpis } from './kpis';

export const zh = { actions, common, errors, shell, keys, login, overview, incidents, incident, report, wall, sources, rules, deadLetters, admin, audit, live, emergency, kpis };

export type Catalogue = typeof zh;
