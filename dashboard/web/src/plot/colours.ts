// The colours of plots, out of the design tokens, so that they follow the theme.

import type { Level } from '../api/types.gen';

export interface PlotColours {
  text: string;
  soft: string;
  line: string;
  level: Record<Level, { fill: string; on: string }>;
}

export function plotColours(): PlotColours {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const level = (name: Level) => ({ fill: of(name), on: of(`on-${name}`) });
  return {
    text: of('text'),
    soft: of('text-soft'),
    line: of('line-soft'),
    level: { red: level('red'), orange: level('orange'), yellow: level('yellow'), blue: level('blue') },
  };
}
