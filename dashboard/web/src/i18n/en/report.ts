import type { Catalogue } from '../zh';

export const report: Catalogue['report'] = {
  title: 'Report an incident',
  headline: 'Headline',
  headlineHint: 'What happened, and where. As: water on Bridge North Road',
  headlineMissing: 'A headline is needed',
  hazard: 'Hazard',
  level: 'Level',
  grid: 'Grid',
  gridMissing: 'Choose a grid',
  gridFromMap: 'Taken from the place on the map',
  place: 'Place',
  placeHint: 'Press the map to mark the place; without it the grid counts.',
  placeClear: 'Clear the place',
  text: 'What is known',
  textHint: 'Who called, how it looks, what was done',
  submit: 'Report',
  done: 'Reported',
};
